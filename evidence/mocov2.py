"""MoCo v2 on CIFAR-10 at 16 pixels, with its queue and its slow key encoder taken away."""

from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "MoCo v2 beats the untrained encoder by nearest neighbours; a key encoder that is the query encoder itself learns "
    "less, and so does a queue of 16 keys."
)
BUDGET = 20
BATCH = 64


def one(budget: int, seed: int) -> Figures:
    data = cifar10(train=6000)
    _, model = pretrained("mocov2", data, seed, budget, batch_size=BATCH)
    _, fast = pretrained("mocov2", data, seed, budget, batch_size=BATCH, method__momentum=0.0)
    _, short = pretrained("mocov2", data, seed, budget, batch_size=BATCH, queue_length=16)
    return baselines(data, model, seed) | {
        "mocov2": judged(model.embed_source, data),
        "mocov2, keys by the query encoder": judged(fast.embed_source, data, ("knn",)),
        "mocov2, queue of 16": judged(short.embed_source, data, ("knn",)),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, _, moco, fast, short = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", moco["knn"] - untrained["knn"], 5),
            Check("knn above keys by the query encoder", moco["knn"] - fast["knn"], 3),
            Check("knn above a queue of 16", moco["knn"] - short["knn"], 0.5),
        ],
    )
