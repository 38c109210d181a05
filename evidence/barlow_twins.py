"""Barlow Twins on 5,000 images of CIFAR-10 at 16 pixels, and without what takes redundancy out."""

from functools import partial

from anyview.objectives.spectrum import rankme
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
    "Barlow Twins beats the untrained encoder and raw pixels by nearest neighbours; without the off-diagonal terms its "
    "dimensions say the same thing: the embeddings use fewer directions, and neighbours are worse."
)
BUDGET = 32
BATCH = 64
VARIANTS = {"barlow-twins": {}, "barlow-twins, diagonal alone": {"lambd": 0.0}}


def variant(name: str, budget: int, seed: int) -> Figures:
    data = cifar10(train=5000)
    method, model = pretrained("barlow-twins", data, seed, budget, batch_size=BATCH, **VARIANTS[name])
    z = projected(method, model, method.projector)(data.splits["test"])
    z = (z - z.mean(0)) / z.std(0)  # as the loss sees them: scale and place of a dimension say nothing
    rows = {name: judged(model.embed_source, data, ("knn",)) | {"rank of z": float(rankme(z))}}
    return baselines(data, model, seed, ("knn",)) | rows if name == "barlow-twins" else rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    untrained, raw, twins, diagonal = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", twins["knn"] - untrained["knn"], 5),
            Check("knn above raw pixels", twins["knn"] - raw["knn"], 0),
            Check(
                "rank of z, times that of the diagonal alone", twins["rank of z"] / diagonal["rank of z"], 2
            ),
            Check("knn above the diagonal alone", twins["knn"] - diagonal["knn"], 2),
        ],
    )
