"""MaskFeat on 7,000 images of CIFAR-10 at 16 pixels, beside pixels as targets."""

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
    "MaskFeat beats the untrained encoder by nearest neighbours and by a linear probe; histograms of gradients are no "
    "worse a target than pixels with the same mask."
)
BUDGET = 24
BATCH = 32


def one(budget: int, seed: int) -> Figures:
    data = cifar10(train=7000, test=3000)
    _, model = pretrained("maskfeat", data, seed, budget, batch_size=BATCH, **SMALL_VIT)
    _, pixels = pretrained("simmim", data, seed, budget, batch_size=BATCH, mask_ratio=0.4, **SMALL_VIT)
    return baselines(data, model, seed) | {
        "maskfeat": judged(model.embed_source, data),
        "simmim, four tenths hidden": judged(pixels.embed_source, data),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, _, maskfeat, pixels = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("linear above untrained", maskfeat["linear"] - untrained["linear"], 2),
            Check("knn above untrained", maskfeat["knn"] - untrained["knn"], 2),
            Check("linear, histograms above pixels", maskfeat["linear"] - pixels["linear"], 0),
        ],
    )
