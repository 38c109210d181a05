"""VICReg on 8,000 images of CIFAR-10 at 16 pixels, with each of its two guards taken away."""

from anyview.objectives.spectrum import rankme
from evidence.common import Check, Evidence, Row, baselines, cifar10, judged, pretrained, projected

CLAIM = (
    "VICReg beats the untrained encoder and raw pixels by nearest neighbours; without the variance term the "
    "embeddings collapse to a point; without the covariance term they use fewer directions."
)
BUDGET = 25


def run(budget: int, seeds: list[int]) -> Evidence:
    data = cifar10()
    variants = {
        "vicreg": {},
        "vicreg, no covariance": {"covariance": 0.0},
        "vicreg, no variance": {"variance": 0.0, "covariance": 0.0},
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in variants}
    for seed in seeds:
        for name, options in variants.items():
            method, model = pretrained("vicreg", data, seed, budget, **options)
            z = projected(method, model, method.expander)(data.splits["test"])
            figures = judged(model.embed_source, data, ("knn",))
            # the hinge keeps the deviation of an expanded dimension at 1; rank knows no size, so both are asked
            runs[name].append(
                figures | {"rank of z": float(rankme(z)), "deviation of z": float(z.std(0).mean())}
            )
    untrained, raw = baselines(data, model, seeds, ("knn",))
    vicreg, loose, still = (Row.over(name, found) for name, found in runs.items())
    return Evidence(
        [untrained, raw, vicreg, loose, still],
        [
            Check("knn above untrained", vicreg["knn"] - untrained["knn"], 5),
            Check("knn above raw pixels", vicreg["knn"] - raw["knn"], 3),
            Check("rank of z, times that without covariance", vicreg["rank of z"] / loose["rank of z"], 2),
            Check("deviation of z without variance, of 1", still["deviation of z"], 0.1, below=True),
            Check("effective rank of z without variance", still["rank of z"], 2, below=True),
        ],
    )
