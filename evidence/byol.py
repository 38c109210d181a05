"""BYOL on 8,000 images of CIFAR-10 at 16 pixels, with its own ablations."""

import math

import torch

from anyview.objectives.spectrum import dimension_std
from evidence.common import Check, Evidence, Row, baselines, cifar10, judged, pretrained, projected

CLAIM = (
    "BYOL beats the untrained encoder by nearest neighbours; without its predictor it collapses; with a fixed "
    "random target it still beats the untrained encoder, but stays below BYOL."
)
BUDGET = 20
BATCH = 64  #: a teacher needs steps to move


def run(budget: int, seeds: list[int]) -> Evidence:
    data = cifar10()
    full, fixed, bare, spreads, ranks = [], [], [], [], []
    for seed in seeds:
        _, model = pretrained("byol", data, seed, budget, batch_size=BATCH)
        full.append(judged(model.embed_source, data, ("knn",)))
        _, still = pretrained("byol", data, seed, budget, batch_size=BATCH, method__momentum=1.0)
        fixed.append(judged(still.embed_source, data, ("knn",)))
        method, lame = pretrained("byol", data, seed, budget, batch_size=BATCH, predictor=False)
        bare.append(judged(lame.embed_source, data, ("knn",)))
        z = projected(method, lame, method.projector)(data.splits["test"])
        spreads.append(float(dimension_std(z)) * math.sqrt(z.shape[1]))
        ranks.append(judged(lambda s, m=method, n=lame: projected(m, n, m.projector)(s), data, ())["rank"])
    untrained, raw = baselines(data, model, seeds, ("knn",))
    byol, target = Row.over("byol", full), Row.over("byol, fixed random target", fixed)
    collapsed = Row.over("byol, no predictor", bare)
    spread, rank = (float(torch.tensor(v).max()) for v in (spreads, ranks))
    return Evidence(
        [untrained, raw, byol, target, collapsed],
        [
            Check("knn above untrained", byol["knn"] - untrained["knn"], 5),
            Check("knn, fixed random target above untrained", target["knn"] - untrained["knn"], 1),
            Check("knn, byol above fixed random target", byol["knn"] - target["knn"], 0.5),
            Check("no predictor: largest deviation of a projection, of 1", spread, 0.2, below=True),
            Check("no predictor: largest effective rank of projections", rank, 3, below=True),
        ],
    )
