"""SimMIM on 7,000 images of CIFAR-10 at 16 pixels, and with hardly anything hidden."""

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
    "SimMIM beats the untrained encoder by nearest neighbours and by a linear probe; hiding six tenths of the patches "
    "is better than hiding a tenth. It runs unchanged on a convolutional network and beats its untrained self there."
)
BUDGET = 36
BATCH = 32
CONVNET = {"encoder__name": "convnet-s", "encoder__width": 16}


def one(budget: int, seed: int) -> Figures:
    data = cifar10(train=7000, test=3000)
    _, model = pretrained("simmim", data, seed, budget, batch_size=BATCH, **SMALL_VIT)
    _, easy = pretrained("simmim", data, seed, budget, batch_size=BATCH, mask_ratio=0.1, **SMALL_VIT)
    _, conv = pretrained("simmim", data, seed, budget // 2, batch_size=BATCH, **CONVNET)
    return baselines(data, model, seed) | {
        "simmim": judged(model.embed_source, data),
        "simmim, a tenth hidden": judged(easy.embed_source, data),
        "simmim, convnet-s": judged(conv.embed_source, data, ("knn",)),
        "untrained convnet-s": judged(conv.untrained(data.train, seed).embed_source, data, ("knn",)),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, _, simmim, tenth, conv, fresh = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("linear above untrained", simmim["linear"] - untrained["linear"], 2),
            Check("knn above untrained", simmim["knn"] - untrained["knn"], 2),
            Check("linear, six tenths hidden above a tenth", simmim["linear"] - tenth["linear"], 0),
            Check("knn of the convolutional network above untrained", conv["knn"] - fresh["knn"], 0),
        ],
    )
