"""MAE on 8,000 images of CIFAR-10 at 16 pixels: what masking much is worth."""

from functools import partial

from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "MAE beats the untrained encoder by a linear probe and by nearest neighbours, and raw pixels by a linear "
    "probe; hiding three quarters of the patches is better than hiding a tenth."
)
BUDGET = 20
BATCH = 64
VARIANTS = {"mae": {}, "mae, a tenth hidden": {"mask_ratio": 0.1}}


def variant(name: str, budget: int, seed: int) -> Figures:
    data = cifar10()
    _, model = pretrained("mae", data, seed, budget, batch_size=BATCH, **VARIANTS[name])
    rows = {name: judged(model.embed_source, data)}
    return baselines(data, model, seed) | rows if name == "mae" else rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    untrained, raw, mae, tenth = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("linear above untrained", mae["linear"] - untrained["linear"], 5),
            Check("knn above untrained", mae["knn"] - untrained["knn"], 3),
            Check("linear above raw pixels", mae["linear"] - raw["linear"], 1),
            Check("linear, three quarters hidden above a tenth", mae["linear"] - tenth["linear"], 1),
        ],
    )
