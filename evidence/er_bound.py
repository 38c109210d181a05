"""The entropy-reconstruction bound in place of BYOL's loss, with a teacher that follows too fast for BYOL."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from anyview.methods.base import Method
from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "With a teacher that starts at a momentum of 0.5, BYOL with the entropy-reconstruction bound for its loss keeps "
    "twice the rank that BYOL keeps and is better by nearest neighbours; the entropy does not fall in training."
)
BUDGET = 30
NOTE = (
    "At higher rates BYOL loses its rank and the bound hardly does: on seeds 3 and 4 the bound keeps 1.66 times the "
    "rank at 0.01 and 2.39 times at 0.02; on the seeds below, in 20 epochs at 0.02, 2.19 times. But there BYOL is far "
    "worse by nearest neighbours too (29), so the rate that serves it best of these, the default, is the one judged."
)
BATCH = 64
SAME = {"batch_size": BATCH, "hidden_dim": 512, "out_dim": 128, "method__momentum": 0.5}


def watched(history: list[float]) -> Callable[[Method], Method]:
    """Keeps the entropy of every step."""

    def swap(method: Method) -> Method:
        plain = method.loss

        def loss(**embeddings: Tensor) -> Any:
            terms: Any = plain(**embeddings)
            history.append(-float(terms["entropy"].detach()))
            return terms

        method.loss = loss
        return method

    return swap


def of_bound(budget: int, seed: int) -> Figures:
    data = cifar10(test=3000)
    history: list[float] = []
    _, model = pretrained("er-bound", data, seed, budget, swap=watched(history), teacher=True, **SAME)
    tenth = len(history) // 10
    first, last = sum(history[:tenth]) / tenth, sum(history[-tenth:]) / tenth
    return baselines(data, model, seed, ("knn",)) | {
        "byol + er": judged(model.embed_source, data, ("knn",)) | {"H, first": first, "H, last": last},
    }


def of_byol(budget: int, seed: int) -> Figures:
    data = cifar10(test=3000)
    _, model = pretrained("byol", data, seed, budget, **SAME)
    return {"byol": judged(model.embed_source, data, ("knn",))}


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([of_bound, of_byol], budget, seeds)
    untrained, _, er, byol = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", er["knn"] - untrained["knn"], 3),
            Check("knn above byol", er["knn"] - byol["knn"], 3),
            Check("rank, times that of byol", er["rank"] / byol["rank"], 2),
            Check(
                "entropy of the last tenth of the steps above the first", er["H, last"] - er["H, first"], 0
            ),
        ],
    )
