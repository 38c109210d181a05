"""I-JEPA on 4,000 images of CIFAR-10 at 16 pixels, with its own ablation."""

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
    "I-JEPA beats the untrained encoder by nearest neighbours and by a linear probe; blocks are better targets than "
    "single patches, and a teacher that averages is better than one that is the student itself."
)
BUDGET = 24
BATCH = 32


def one(budget: int, seed: int) -> Figures:
    data = cifar10(train=4000, test=2000)
    options = {"batch_size": BATCH, "predictor_depth": 1, **SMALL_VIT}
    _, model = pretrained("i-jepa", data, seed, budget, **options)
    forgets = {"method__momentum": 0.0, "end_momentum": 0.0}
    _, follows = pretrained("i-jepa", data, seed, budget, **forgets, **options)
    patches = {"target_scale": (1 / 16, 1 / 16)}  # one token of the 4 x 4
    _, single = pretrained("i-jepa", data, seed, budget, **patches, **options)
    return baselines(data, model, seed) | {
        "i-jepa": judged(model.embed_source, data),
        "i-jepa, teacher without memory": judged(follows.embed_source, data, ("knn",)),
        "i-jepa, single patches": judged(single.embed_source, data, ("knn",)),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, _, jepa, follows, single = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("linear above untrained", jepa["linear"] - untrained["linear"], 1),
            Check("knn above untrained", jepa["knn"] - untrained["knn"], 1),
            Check("knn, blocks above single patches", jepa["knn"] - single["knn"], 0),
            Check("knn, a slow teacher above one without memory", jepa["knn"] - follows["knn"], 0.5),
        ],
    )
