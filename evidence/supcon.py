"""SupCon on 5,000 labelled images of CIFAR-10 at 16 pixels, beside SimCLR and cross-entropy on the same views."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.data.source import Dataset
from anyview.methods.base import Method
from evidence.common import (
    Check,
    Evidence,
    Figures,
    Part,
    baselines,
    cifar10,
    judged,
    over_seeds,
    pretrained,
    projected,
)

CLAIM = (
    "With the same labels, views and epochs SupCon is far above SimCLR and at least as good as cross-entropy, "
    "by a linear classifier on the frozen encoder; its projections of one class lie together, SimCLR's less so."
)
BUDGET = 50
NOTE = (
    "How far apart classes lie follows from the temperature. On seeds 3 and 4 images of a class are 0.29 nearer than "
    "those of two at 0.2 and 0.42 at 0.3, for 0.7 points of the linear probe; SimCLR loses 0.3 by it. So SimCLR is "
    "judged at 0.1 too, and by the better figure of the two."
)
BATCH = 128
RATE = 1e-2  #: of all three, each of which it serves better than smaller ones
SHARED: dict[str, Any] = {"batch_size": BATCH, "lr": RATE}
TEMPERATURE = 0.3  #: of both: cosines lie as far apart as the temperature lets them
COLDER = 0.1  #: of SimCLR beside it


class CrossEntropy(Method):
    """A classifier on the views that SupCon trains on."""

    needs = "two_views"
    couples_samples = False
    uses_labels = True

    def __init__(self, like: Method) -> None:
        super().__init__(like.encoder, like.views)
        self.classifier = nn.Linear(like.encoder.dim, 10)

    def forward(self, views: list[Batch]) -> dict[str, Any]:
        return {
            "logits": self.encode(views, lambda x: self.classifier(self.encoder(x))),
            "label": views[0].label,
        }

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1), label.repeat(len(logits)))


def geometry(embed: Callable[[Any], Tensor], data: Dataset) -> dict[str, float]:
    """Mean cosine of test images of one class, less that of images of two classes."""
    source = data.splits["test"]
    u = F.normalize(embed(source), dim=1)
    assert source.label is not None
    same = source.label[:, None] == source.label
    cosine, other = u @ u.T, ~same
    same.fill_diagonal_(False)
    return {"within - between": float(cosine[same].mean() - cosine[other].mean())}


def of_supcon(budget: int, seed: int) -> Figures:
    data = cifar10(train=5600)
    method, model = pretrained("supcon", data, seed, budget, temperature=TEMPERATURE, **SHARED)
    apart = geometry(projected(method, model, method.projector), data)
    return baselines(data, model, seed) | {"supcon": judged(model.embed_source, data) | apart}


def of_simclr(temperature: float, budget: int, seed: int) -> Figures:
    data = cifar10(train=5600)
    method, model = pretrained("simclr", data, seed, budget, temperature=temperature, **SHARED)
    apart = geometry(projected(method, model, method.projector), data)
    return {f"simclr, temperature {temperature:g}": judged(model.embed_source, data) | apart}


def of_classifier(budget: int, seed: int) -> Figures:
    data = cifar10(train=5600)
    method, model = pretrained("supcon", data, seed, budget, swap=CrossEntropy, **SHARED)
    answer = projected(method, model, method.classifier)(data.splits["test"])
    label = data.splits["test"].label
    correct = 100 * float((answer.argmax(1) == label).double().mean())
    return {"cross-entropy": judged(model.embed_source, data) | {"own classifier": correct}}


def run(budget: int, seeds: list[int]) -> Evidence:
    simclrs = [partial(of_simclr, temperature) for temperature in (TEMPERATURE, COLDER)]
    parts: list[Part] = [of_supcon, *simclrs, of_classifier]
    rows = over_seeds(parts, budget, seeds)
    untrained, _, supcon, *simclr, crossed = rows.values()
    together = "within - between"
    best = max(crossed["linear"], crossed["own classifier"])
    beside = {metric: max(row[metric] for row in simclr) for metric in ("linear", together)}
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", supcon["knn"] - untrained["knn"], 5),
            Check("linear above simclr", supcon["linear"] - beside["linear"], 8),
            Check("linear above the better of cross-entropy's figures", supcon["linear"] - best, -1.5),
            Check("cosine within less between classes", supcon[together], 0.4),
            Check("the same above simclr's", supcon[together] - beside[together], 0.05),
        ],
    )
