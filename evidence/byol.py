"""BYOL on 8,000 images of CIFAR-10 at 16 pixels, with its own ablations."""

import math
from functools import partial

from anyview.objectives.spectrum import dimension_std, rankme
from evidence.common import (
    Check,
    Evidence,
    Figures,
    baselines,
    cifar10,
    judged,
    over_seeds,
    pretrained,
    projected,
)

CLAIM = (
    "BYOL beats the untrained encoder by nearest neighbours; without its predictor it collapses; with a fixed "
    "random target it still beats the untrained encoder, but stays below BYOL."
)
BUDGET = 20
BATCH = 64  #: a teacher needs steps to move
VARIANTS = {
    "byol": {},
    "byol, fixed random target": {"method__momentum": 1.0},
    "byol, no predictor": {"predictor": False},
}


def variant(name: str, budget: int, seed: int) -> Figures:
    data = cifar10()
    method, model = pretrained("byol", data, seed, budget, batch_size=BATCH, **VARIANTS[name])
    z = projected(method, model, method.projector)(data.splits["test"])
    collapse = {
        "deviation of z": float(dimension_std(z)) * math.sqrt(z.shape[1]),
        "rank of z": float(rankme(z)),
    }
    rows = {name: judged(model.embed_source, data, ("knn",)) | collapse}
    return baselines(data, model, seed, ("knn",)) | rows if name == "byol" else rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    untrained, _, byol, target, collapsed = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", byol["knn"] - untrained["knn"], 5),
            Check("knn, fixed random target above untrained", target["knn"] - untrained["knn"], 1),
            Check("knn, byol above fixed random target", byol["knn"] - target["knn"], 0.5),
            Check(
                "no predictor: deviation of a projection, of 1", collapsed["deviation of z"], 0.2, below=True
            ),
            Check("no predictor: effective rank of projections", collapsed["rank of z"], 3, below=True),
        ],
    )
