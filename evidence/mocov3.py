"""MoCo v3 on CIFAR-10 at 16 pixels, without its predictor and without its slow key encoder."""

from functools import partial

from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "MoCo v3 beats the untrained encoder by nearest neighbours; it still does without its predictor, which adds "
    "little, as in the paper: what must not collapse is told apart by the negatives."
)
BUDGET = 33
BATCH = 64
VARIANTS = {
    "mocov3": {},
    "mocov3, no predictor": {"predictor": False},
    "mocov3, keys of a fixed random encoder": {"method__momentum": 1.0},
}


def variant(name: str, budget: int, seed: int) -> Figures:
    data = cifar10(train=6000)
    _, model = pretrained("mocov3", data, seed, budget, batch_size=BATCH, **VARIANTS[name])
    if name == "mocov3":
        return baselines(data, model, seed) | {name: judged(model.embed_source, data)}
    return {name: judged(model.embed_source, data, ("knn",))}


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    untrained, _, moco, bare, still = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", moco["knn"] - untrained["knn"], 5),
            Check("knn, no predictor above untrained", bare["knn"] - untrained["knn"], 5),
            Check("knn above keys of a fixed encoder", moco["knn"] - still["knn"], 2),
        ],
    )
