"""data2vec on 4,500 images of CIFAR-10 at 16 pixels, with its own ablations."""

from functools import partial

import torch
from torch import Tensor

from anyview.data.source import Dataset
from anyview.methods.base import Method
from anyview.methods.masked.data2vec import Data2Vec
from anyview.training.model import Model
from evidence.common import (
    SMALL_VIT,
    Check,
    Evidence,
    Figures,
    baselines,
    cifar10,
    judged,
    over_seeds,
    pretrained,
)

CLAIM = (
    "data2vec beats the untrained encoder by 8 points with a linear probe and is no more than a point below MAE with "
    "the same trunk; the mean of the teacher's upper layers is no worse a target than its last; targets that are not "
    "normalised, from a teacher without memory, vary less than a third as much."
)
BUDGET = 8
NOTE = (
    "It does not count as working here: after some 1,000 steps (the paper takes 400,000) a linear probe "
    "reads less from it than from the untrained encoder, while MAE gains in as many epochs."
)
BATCH = 32


@torch.no_grad()
def target_deviation(method: Method, model: Model, data: Dataset) -> float:
    """Deviation of the targets over tokens and samples, mean over their values."""
    assert isinstance(method, Data2Vec)
    x: Tensor = model.modality.inputs(data.splits["validation"].fetch(torch.arange(256)).x, model.spec)
    method.eval()
    targets = method.targets(x, method.encoder.layout(x)[1])
    return float(targets.flatten(0, 1).std(0).mean())


VARIANTS = {
    "data2vec": ("data2vec", {}),
    "data2vec, last layer": ("data2vec", {"top_layers": 1}),
    "data2vec, raw targets, no memory": (
        "data2vec",
        {"normalise": "none", "method__momentum": 0.0, "end_momentum": 0.0},
    ),
    "mae": ("mae", {}),
}


def variant(name: str, budget: int, seed: int) -> Figures:
    data = cifar10(train=4500, test=2000)
    which, options = VARIANTS[name]
    method, model = pretrained(which, data, seed, budget, batch_size=BATCH, **options, **SMALL_VIT)
    figures = judged(model.embed_source, data)
    if which == "data2vec":
        figures["target"] = target_deviation(method, model, data)
    rows = {name: figures}
    return baselines(data, model, seed) | rows if name == "data2vec" else rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    untrained, raw, data2vec, last, loose, mae = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("linear above untrained", data2vec["linear"] - untrained["linear"], 8),
            Check("linear above raw pixels", data2vec["linear"] - raw["linear"], 1),
            Check("linear above mae", data2vec["linear"] - mae["linear"], -1),
            Check("linear, upper layers above the last", data2vec["linear"] - last["linear"], 0),
            Check(
                "deviation of targets, times that of raw ones",
                data2vec["target"] / max(loose["target"], 1e-6),
                3,
            ),
        ],
    )
