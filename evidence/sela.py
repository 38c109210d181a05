"""SeLa on CIFAR-10 at 16 pixels, and with each sample in its likeliest cluster instead of equal shares."""

from functools import partial

import torch
from sklearn.metrics import normalized_mutual_info_score

from anyview.methods.clustering.sela import SeLa
from anyview.targets.kmeans import kmeans
from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "SeLa beats the untrained encoder by nearest neighbours, and its labels know more of the classes than k-means on "
    "the untrained encoder; without equal shares they collapse to a few clusters."
)
BUDGET = 20
CLUSTERS = 32
OPTIONS = {"batch_size": 64, "clusters": CLUSTERS, "labellings": 2, "moments": 20, "sharpness": 10.0}
VARIANTS = {"sela": {}, "sela, no equal shares": {"balanced": False}}


def variant(name: str, budget: int, seed: int) -> Figures:
    data = cifar10()
    method, model = pretrained("sela", data, seed, budget, **OPTIONS, **VARIANTS[name])
    assert isinstance(method, SeLa)

    def known(label: torch.Tensor) -> float:
        return 100 * float(normalized_mutual_info_score(data.train.label, label))

    labels = method.labels.value
    found = {
        "nmi": sum(known(label) for label in labels) / len(labels),
        "clusters": sum(len(label.unique()) for label in labels) / len(labels),
    }
    rows = {name: judged(model.embed_source, data, ("knn",)) | found}
    if name != "sela":
        return rows
    torch.manual_seed(seed)
    base = baselines(data, model, seed, ("knn",))
    clusters = kmeans(model.untrained(data.train, seed).embed_source(data.train), CLUSTERS, iterations=50)[1]
    base["untrained encoder"] |= {"nmi": known(clusters), "clusters": len(clusters.unique())}
    return base | rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    untrained, _, sela, free = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", sela["knn"] - untrained["knn"], 3),
            Check(
                "mutual information with the classes, above k-means untrained",
                sela["nmi"] - untrained["nmi"],
                2,
            ),
            Check("no equal shares: clusters in use", free["clusters"], 3 + 1e-9, below=True),
        ],
    )
