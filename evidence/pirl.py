"""PIRL on CIFAR-10 at 32 pixels, beside a network of the same size that predicts the order of the patches."""

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.data.source import Dataset
from anyview.encoders.batch_norm import counted_anew
from anyview.methods.base import Method
from anyview.methods.contrastive.pirl import PIRL
from anyview.training.model import calibrate
from anyview.views.image_jigsaw import CELLS
from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "PIRL beats the untrained encoder by nearest neighbours; on held-out images the embedding of an image is near that "
    "of its own puzzle and not near those of others, which a network that predicts the order of the patches has not."
)
BUDGET = 40
NOTE = (
    "Batch and epochs were chosen on seeds 3 and 4, where 24 epochs and batches of 64 gave a cosine of 0.29 and "
    "0.15 more than one that predicts the order, and 40 epochs and batches of 128 0.208 more, the most of all "
    "tried. On the seeds below that lead is 0.177 after 30 epochs, which is less than asked and takes 9.6 "
    "minutes, and 0.204 after 40, which take more than ten; its error is about 0.03, so three seeds cannot tell "
    "it from the 0.2 asked. Images and patches are embedded with statistics of batch norms of their own, in both "
    "networks; with those of both mixed it was 0.15 and 0.07 on these seeds."
)
BATCH = 128
RATE = 1e-2  #: both learn more by it in as many steps than by the default
HELD = 512  #: test images whose puzzles are looked at
COUNTED = 1024  #: training images that batch norms have counted by then


class Order(Method):
    """The pretext task itself: which cell is each of the nine patches from?"""

    needs = "jigsaw"
    couples_samples = False

    def __init__(self, like: Method) -> None:
        super().__init__(like.encoder, like.views)
        assert isinstance(like, PIRL)
        self.patch_head = like.patch_head
        self.classifier = nn.Linear(like.puzzle_head.in_features, CELLS**4)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        patches = views[1].x
        each = self.patch_head(self.encoder(patches.flatten(0, 1)))
        logits = self.classifier(each.unflatten(0, (len(patches), -1)).flatten(1).relu())
        return {"logits": logits.unflatten(1, (CELLS**2, CELLS**2)), "order": views[1].meta["order"]}

    def loss(self, logits: Tensor, order: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1), order.flatten())


def counted(method: Method, data: Dataset, view: int) -> Method:
    """A copy whose batch norms have counted images (0) or puzzles (1) of train: each has its own statistics in a
    training step, so each must have them here."""
    method = copy.deepcopy(method).train()
    torch.manual_seed(0)
    with torch.no_grad(), counted_anew(method.encoder):
        for part in torch.arange(COUNTED).split(128):
            x = method.make_views(data.train.fetch(part))[view].x
            method.encoder(x.flatten(0, 1) if view else x)
    return method.eval()


Embed = Callable[[Any, Tensor], Tensor]


@torch.no_grad()
def gap(
    method: Method, data: Dataset, seed: int, image: Embed, puzzle: Embed, centred: bool = False
) -> float:
    """Mean cosine of a test image and its own puzzle, less that with puzzles of other images."""
    torch.manual_seed(seed)
    views = method.make_views(data.splits["test"].fetch(torch.arange(HELD)))
    embedded = [f(counted(method, data, i), views[i].x) for i, f in enumerate((image, puzzle))]
    u, v = (F.normalize(z - z.mean(0) if centred else z, dim=1) for z in embedded)
    cosine = u @ v.T
    own = cosine.diagonal()
    return float(own.mean() - (cosine.sum() - own.sum()) / (HELD * (HELD - 1)))


def by_heads(method: Method, data: Dataset, seed: int) -> float:
    return gap(method, data, seed, lambda m, x: m.image_head(m.encoder(x)), lambda m, x: m.puzzle(x))


def by_encoder(method: Method, data: Dataset, seed: int) -> float:
    """Without heads, of which the predictor of orders has none for images: the mean over the patches."""

    def puzzle(network: Method, x: Tensor) -> Tensor:
        return network.encoder(x.flatten(0, 1)).unflatten(0, (HELD, -1)).mean(1)

    return gap(method, data, seed, lambda m, x: m.encoder(x), puzzle, centred=True)


def invariant(budget: int, seed: int) -> Figures:
    data = cifar10(size=32, train=6000)
    method, model = pretrained("pirl", data, seed, budget, batch_size=BATCH, lr=RATE)
    gaps = {"gap of heads": by_heads(method, data, seed), "gap": by_encoder(method, data, seed)}
    return baselines(data, model, seed) | {"pirl": judged(model.embed_source, data) | gaps}


def covariant(budget: int, seed: int) -> Figures:
    data = cifar10(size=32, train=6000)
    method, model = pretrained("pirl", data, seed, budget, swap=Order, batch_size=BATCH, lr=RATE)
    # it has met patches alone, and is asked for whole images
    calibrate(model.encoder, data.train, lambda x: model.modality.inputs(x, model.spec), seed)
    known = judged(model.embed_source, data, ("knn",)) | {"gap": by_encoder(method, data, seed)}
    return {"order of the patches": known}


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([invariant, covariant], budget, seeds)
    untrained, _, pirl, order = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", pirl["knn"] - untrained["knn"], 4),
            Check("cosine of image and own puzzle above others'", pirl["gap of heads"], 0.3),
            Check("the same by encoders, above one that predicts the order", pirl["gap"] - order["gap"], 0.2),
        ],
    )
