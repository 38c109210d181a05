"""MoCo v3 on CIFAR-10 at 16 pixels, without its predictor and without its slow key encoder."""

from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "MoCo v3 beats the untrained encoder by nearest neighbours; it still does without its predictor, which adds "
    "little, as in the paper: what must not collapse is told apart by the negatives."
)
BUDGET = 33
BATCH = 64


def one(budget: int, seed: int) -> Figures:
    data = cifar10(train=6000)
    _, model = pretrained("mocov3", data, seed, budget, batch_size=BATCH)
    _, bare = pretrained("mocov3", data, seed, budget, batch_size=BATCH, predictor=False)
    _, still = pretrained("mocov3", data, seed, budget, batch_size=BATCH, method__momentum=1.0)
    return baselines(data, model, seed) | {
        "mocov3": judged(model.embed_source, data),
        "mocov3, no predictor": judged(bare.embed_source, data, ("knn",)),
        "mocov3, keys of a fixed random encoder": judged(still.embed_source, data, ("knn",)),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, _, moco, bare, still = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", moco["knn"] - untrained["knn"], 5),
            Check("knn, no predictor above untrained", bare["knn"] - untrained["knn"], 5),
            Check("knn above keys of a fixed encoder", moco["knn"] - still["knn"], 2),
        ],
    )
