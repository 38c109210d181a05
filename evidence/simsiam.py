"""SimSiam on CIFAR-10 at 16 pixels, without its predictor and without its stop-gradient."""

import math

from anyview.objectives.spectrum import dimension_std
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
    "SimSiam beats the untrained encoder by nearest neighbours, and its projections stay spread; without the "
    "predictor, or without the stop-gradient, they collapse to a point within a third of the epochs."
)
BUDGET = 28
BATCH = 64
ABLATIONS = {"no predictor": {"predictor": False}, "no stop-gradient": {"stop_gradient": False}}


def one(budget: int, seed: int) -> Figures:
    data = cifar10(train=6000, test=3000)
    rows: Figures = {}
    for name, options in ({"": {}} | ABLATIONS).items():
        epochs = max(1, budget // 3) if options else budget
        method, model = pretrained("simsiam", data, seed, epochs, batch_size=BATCH, **options)
        rows = rows or baselines(data, model, seed, ("knn",))
        z = projected(method, model, method.projector)(data.splits["test"])
        spread = {"deviation of z": float(dimension_std(z)) * math.sqrt(z.shape[1])}
        rows[f"simsiam, {name}" if name else "simsiam"] = judged(model.embed_source, data, ("knn",)) | spread
    return rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, _, simsiam, predictor, gradient = rows.values()
    deviation = "deviation of z"
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", simsiam["knn"] - untrained["knn"], 5),
            Check("deviation of a projection, of 1", simsiam[deviation], 0.5),
            Check("alike, no predictor", predictor[deviation], 0.2, below=True),
            Check("alike, no stop-gradient", gradient[deviation], 0.2, below=True),
        ],
    )
