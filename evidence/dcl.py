"""DCL on CIFAR-10 at 16 pixels with a small batch, beside SimCLR at the same temperature and DCLW."""

from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "At a batch of 32 DCL beats the untrained encoder, and SimCLR at the same temperature by nearest neighbours; the "
    "weighted form is no worse than SimCLR."
)
BUDGET = 24
BATCH = 32  #: the paper's point: the fewer the negatives, the more the positive in the denominator costs
TEMPERATURE = 0.1


def one(budget: int, seed: int) -> Figures:
    data = cifar10(train=6000)
    shared = {"batch_size": BATCH, "temperature": TEMPERATURE}
    _, model = pretrained("dcl", data, seed, budget, **shared)
    _, weighted = pretrained("dcl", data, seed, budget, weighted=True, **shared)
    _, simclr = pretrained("simclr", data, seed, budget, **shared)
    return baselines(data, model, seed) | {
        "dcl": judged(model.embed_source, data),
        "dcl, weighted": judged(weighted.embed_source, data, ("knn",)),
        "simclr": judged(simclr.embed_source, data, ("knn",)),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, _, dcl, weighted, simclr = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", dcl["knn"] - untrained["knn"], 5),
            Check("knn above simclr", dcl["knn"] - simclr["knn"], 0.5),
            Check("knn, weighted above simclr", weighted["knn"] - simclr["knn"], 0),
        ],
    )
