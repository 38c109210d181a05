"""DeepCluster v2 on CIFAR-10 at 16 pixels, and with the clusters of the untrained network for good."""

from functools import partial

from sklearn.metrics import normalized_mutual_info_score

from anyview.methods.base import Method
from anyview.methods.clustering.deepcluster_v2 import DeepClusterV2
from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained
from evidence.swav import OPTIONS

CLAIM = (
    "DeepCluster v2 beats the untrained encoder by nearest neighbours; clustering anew before each epoch is better "
    "than learning the first clusters for good, and what clusters know of the classes grows."
)
BUDGET = 16
SETTINGS = {k: v for k, v in OPTIONS.items() if k != "prototypes"} | {"clusters": 100}
VARIANTS = {"deepcluster-v2": False, "deepcluster-v2, first clusters for good": True}


def once(method: Method) -> Method:
    """Clusters before the first epoch only."""
    cluster = method.before_epoch
    method.before_epoch = lambda embed: cluster(embed) if method.progress == 0 else None  # type: ignore[method-assign]
    return method


def variant(name: str, budget: int, seed: int) -> Figures:
    data = cifar10(train=5000)
    method, model = pretrained(
        "deepcluster-v2", data, seed, budget, swap=once if VARIANTS[name] else None, **SETTINGS
    )
    assert isinstance(method, DeepClusterV2)
    known = [100 * normalized_mutual_info_score(data.train.label, label) for label in method.labels.value]
    rows = {name: judged(model.embed_source, data, ("knn",)) | {"nmi": sum(known) / len(known)}}
    return rows if VARIANTS[name] else baselines(data, model, seed, ("knn",)) | rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    untrained, _, again, first = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", again["knn"] - untrained["knn"], 5),
            Check("knn, above the first clusters for good", again["knn"] - first["knn"], 1),
            Check(
                "mutual information with the classes, above the first clusters'",
                again["nmi"] - first["nmi"],
                2,
            ),
        ],
    )
