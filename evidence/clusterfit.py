"""ClusterFit on CIFAR-10 at 16 pixels, after a network that tells how images are turned, and one of wrong labels."""

import copy
import tempfile

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.data.source import Dataset, MemorySource, Source
from anyview.evaluation.features import Features, Split
from anyview.evaluation.protocols import judge
from anyview.methods.base import Method
from anyview.training.model import Model
from evidence.common import (
    Check,
    Evidence,
    Figures,
    baselines,
    cifar10,
    judged,
    over_seeds,
    pretrained,
    supervised,
)

CLAIM = (
    "A network that learns the clusters of one that tells rotations beats it by nearest neighbours, also when that one "
    "trains twice as long, and knows less of rotations; one that learns the clusters of a network trained on labels "
    "half of which are drawn at random beats that network by a linear layer."
)
NOTE = (
    "Rates were chosen on seeds 3 and 4: 0.01 for what pretrains, and for the network of wrong labels the one that "
    "suits it best of 0.002, 0.005, 0.01 and 0.02. There all four held, with 0.002 for that network; the two that do "
    "not hold here are near what is asked."
)
BUDGET = 15
STEPS, SUPERVISED_RATE = 500, 0.005  #: of supervised training
CLUSTERS = 200
OPTIONS = {"batch_size": 64, "clusters": CLUSTERS, "lr": 0.01}


class Rotation(Method):
    """Tells by how many quarter turns each image was turned (Gidaris et al. 2018, arXiv:1803.07728)."""

    needs = "multi_view"
    couples_samples = False

    def __init__(self, host: Method) -> None:
        super().__init__(host.encoder, host.views)
        self.head = nn.Linear(self.encoder.dim, 4)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        every = torch.cat([turned(views[0].x, k) for k in range(4)])  # one batch: the turns share statistics
        return {"logits": self.head(self.encoder(every))[None]}

    def loss(self, logits: Tensor) -> Tensor:
        turn = torch.arange(4).repeat_interleave(logits.shape[1] // 4)
        return F.cross_entropy(logits[0].float(), turn)


def turned(x: Tensor, quarters: int) -> Tensor:
    return torch.rot90(x, quarters, (2, 3)).contiguous(memory_format=torch.channels_last)


def rotation_probe(model: Model, train: Source, validation: Source, test: Source) -> float:
    """Accuracy in percent of a linear probe that tells rotations, on images turned at random."""

    def features(source: Source, seed: int) -> Split:
        x = source.fetch(torch.arange(min(len(source), 3000))).x
        label = torch.randint(4, (len(x),), generator=torch.Generator().manual_seed(seed))
        x = torch.stack([torch.rot90(image, int(k), (1, 2)) for image, k in zip(x, label)])
        return Split(model.embed_source(MemorySource("image", source.spec, x)), label)

    splits = Features(features(train, 1), features(validation, 2), features(test, 3))
    return 100 * judge({"it": splits}, ("linear",))[0].figures["it"].mean


def mislabelled(data: Dataset, seed: int) -> Dataset:
    """The same samples; every second label of train is drawn at random."""
    train, generator = copy.copy(data.train), torch.Generator().manual_seed(seed)
    assert train.label is not None
    classes = int(train.label.max()) + 1
    drawn = torch.randint(classes, train.label.shape, generator=generator)
    wrong = torch.rand(len(train), generator=generator) < 0.5
    train.label = torch.where(wrong, drawn, train.label)
    return Dataset(data.name, data.modality, data.splits | {"train": train})


def fitted(model: Model, data: Dataset, seed: int, budget: int) -> Model:
    """A network from fresh weights that learns the clusters of another."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        return pretrained("clusterfit", data, seed + 100, budget, pretrained=folder, **OPTIONS)[1]


def known(model: Model, data: Dataset) -> dict[str, float]:
    """What a network's embeddings know of classes and of how images are turned."""
    splits = [data.splits[name] for name in ("train", "validation", "test")]
    return judged(model.embed_source, data) | {"rotation": rotation_probe(model, *splits)}


def clustered(budget: int, seed: int) -> Figures:
    data = cifar10(train=4000)
    _, first = pretrained("clusterfit", data, seed, budget, Rotation, **OPTIONS)
    return baselines(data, first, seed) | {
        "rotation": known(first, data),
        "clusterfit": known(fitted(first, data, seed, budget), data),
    }


def twice_as_long(budget: int, seed: int) -> Figures:
    data = cifar10(train=4000)
    _, longer = pretrained("clusterfit", data, seed, 2 * budget, Rotation, **OPTIONS)
    return {"rotation, twice as long": known(longer, data)}


def of_others(budget: int, seed: int) -> Figures:
    """Clusters of a network that learned nothing, and of one that learned wrong labels."""
    data = cifar10(train=4000)
    _, control = pretrained("clusterfit", data, seed + 100, budget, **OPTIONS)
    noisy = supervised(control, mislabelled(data, seed), seed, STEPS, lr=SUPERVISED_RATE)
    taught = {"half the labels random": noisy, "clusterfit of it": fitted(noisy, data, seed, budget)}
    return {"clusterfit of an untrained network": known(control, data)} | {
        name: judged(model.embed_source, data) for name, model in taught.items()
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([clustered, twice_as_long, of_others], budget, seeds)
    _, _, first, found, longer, _, noisy, freed = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above the network it clusters", found["knn"] - first["knn"], 1.5),
            Check("knn above that network trained twice as long", found["knn"] - longer["knn"], 0),
            Check(
                "accuracy of a probe for rotations, below that network's",
                first["rotation"] - found["rotation"],
                5,
            ),
            Check("linear above the network of half random labels", freed["linear"] - noisy["linear"], 0),
        ],
    )
