"""ClusterFit on CIFAR-10 at 16 pixels, after a network that was trained to tell how images are turned."""

import tempfile

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.data.source import MemorySource, Source
from anyview.evaluation.features import Features, Split
from anyview.evaluation.protocols import judge
from anyview.methods.base import Method
from anyview.training.model import Model
from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "A network that learns the clusters of one that tells rotations beats it by nearest neighbours, also when that one "
    "trains twice as long, and knows less of rotations."
)
BUDGET = 15
CLUSTERS = 200
OPTIONS = {"batch_size": 64, "clusters": CLUSTERS}


class Rotation(Method):
    """Tells by how many quarter turns each image was turned (Gidaris et al. 2018, arXiv:1803.07728)."""

    needs = "multi_view"
    couples_samples = False

    def __init__(self, host: Method) -> None:
        super().__init__(host.encoder, host.views)
        self.head = nn.Linear(self.encoder.dim, 4)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        return {"logits": torch.stack([self.head(self.encoder(turned(views[0].x, k))) for k in range(4)])}

    def loss(self, logits: Tensor) -> Tensor:
        return F.cross_entropy(
            logits.flatten(0, 1).float(), torch.arange(4).repeat_interleave(logits.shape[1])
        )


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


def one(budget: int, seed: int) -> Figures:
    data = cifar10(train=4000)
    splits = [data.splits[name] for name in ("train", "validation", "test")]
    rows: Figures = {}
    _, first = pretrained("clusterfit", data, seed, budget, Rotation, **OPTIONS)
    _, longer = pretrained("clusterfit", data, seed, 2 * budget, Rotation, **OPTIONS)
    with tempfile.TemporaryDirectory() as folder:
        first.save(folder)
        _, fitted = pretrained("clusterfit", data, seed + 100, budget, pretrained=folder, **OPTIONS)
    _, control = pretrained("clusterfit", data, seed + 100, budget, **OPTIONS)
    for name, model in {
        "rotation": first,
        "rotation, twice as long": longer,
        "clusterfit": fitted,
        "clusterfit of an untrained network": control,
    }.items():
        rows[name] = judged(model.embed_source, data) | {"rotation": rotation_probe(model, *splits)}
    return baselines(data, first, seed) | rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    _, _, first, longer, fitted, _ = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above the network it clusters", fitted["knn"] - first["knn"], 1.5),
            Check("knn above that network trained twice as long", fitted["knn"] - longer["knn"], 0),
            Check(
                "accuracy of a probe for rotations, below that network's",
                first["rotation"] - fitted["rotation"],
                5,
            ),
        ],
    )
