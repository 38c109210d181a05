"""VICReg on 8,000 images of CIFAR-10 at 16 pixels, with each of its two guards taken away."""

from evidence.common import Check, Evidence, Row, baselines, cifar10, judged, pretrained, projected

CLAIM = (
    "VICReg beats the untrained encoder and raw pixels by nearest neighbours; without the variance term the "
    "embeddings collapse to a point; without the covariance term they use fewer directions."
)
BUDGET = 20


def run(budget: int, seeds: list[int]) -> Evidence:
    data = cifar10()
    full, loose, still, ranks = [], [], [], {"full": [], "no covariance": [], "no variance": []}
    for seed in seeds:
        for name, kept, options in (
            ("full", full, {}),
            ("no covariance", loose, {"covariance": 0.0}),
            ("no variance", still, {"variance": 0.0, "covariance": 0.0}),
        ):
            method, trained = pretrained("vicreg", data, seed, budget, **options)
            kept.append(judged(trained.embed_source, data, ("knn",)))
            ranks[name].append(judged(projected(method, trained, method.expander), data, ())["rank"])
            model = trained
    untrained, raw = baselines(data, model, seeds, ("knn",))
    vicreg = Row.over("vicreg", full)
    rank = {name: sum(values) / len(values) for name, values in ranks.items()}
    return Evidence(
        [
            untrained,
            raw,
            vicreg,
            Row.over("vicreg, no covariance", loose),
            Row.over("vicreg, no variance", still),
        ],
        [
            Check("knn above untrained", vicreg["knn"] - untrained["knn"], 5),
            Check("knn above raw pixels", vicreg["knn"] - raw["knn"], 3),
            Check(
                "effective rank of expanded embeddings, over that without covariance",
                rank["full"] / rank["no covariance"],
                2,
            ),
            Check(
                "effective rank of expanded embeddings without variance", rank["no variance"], 2, below=True
            ),
        ],
    )
