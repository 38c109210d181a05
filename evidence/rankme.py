"""RankMe against labels: which of several settings of one method, on CIFAR-10 at 16 pixels.

Runs are ranked by their projections and probed by their encoders, as in the paper's tables; the encoders' own rank,
which is all that is left of a run whose head was thrown away, stands beside.
"""

from functools import partial
from typing import Any

import torch
from scipy.stats import spearmanr

from anyview.data.source import Dataset
from anyview.objectives.spectrum import rankme
from evidence.common import Check, Evidence, Figures, cifar10, judged, over_seeds, pretrained, projected

CLAIM = (
    "Among runs of VICReg with other weights, and of SimCLR with other temperatures, the one that RankMe chooses is at "
    "most 1.5 points of a linear probe below the one that labels choose, and RankMe ranks them as the probe does."
)
BUDGET = 12
NOTE = (
    "VICReg that collapses shrinks its projections towards their mean, and for long what is left around it is noise of "
    "many directions, whose rank is high: the encoder's own rank tells such runs."
)
HEADS = {"vicreg": "expander", "simclr": "projector"}
SAMPLES = 2000  #: embedded for RankMe, as many as a run keeps
RUNS: dict[str, list[dict[str, Any]]] = {
    "vicreg": [
        {"variance": 25.0, "covariance": 1.0},
        {"variance": 25.0, "covariance": 0.1},
        {"variance": 25.0, "covariance": 0.0},
        {"variance": 5.0, "covariance": 1.0},
        {"variance": 1.0, "covariance": 1.0},
        {"variance": 1.0, "covariance": 0.0},
        {"variance": 0.0, "covariance": 0.0},
    ],
    "simclr": [{"temperature": t} for t in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)],
}


def small() -> Dataset:
    return cifar10(train=4000, test=2000)


def named(method: str, options: dict[str, Any]) -> str:
    return f"{method}, " + ", ".join(f"{name} {value:g}" for name, value in options.items())


def of_method(method: str, budget: int, seed: int) -> Figures:
    """Every setting of one method, and the two that are chosen: by RankMe, and by a probe of validation."""
    data = small()
    # what whoever has labels would choose by: validation, never test
    seen = Dataset(data.name, data.modality, {**data.splits, "test": data.splits["validation"]})
    rows: Figures = {}
    for options in RUNS[method]:
        trained, model = pretrained(method, data, seed, budget, **options, batch_size=64)
        part, head = data.train.take(torch.arange(SAMPLES)), getattr(trained, HEADS[method])
        rows[named(method, options)] = {
            "rankme": float(rankme(projected(trained, model, head)(part))),
            "of the encoder": float(rankme(model.embed_source(part))),
            "linear": judged(model.embed_source, data, ("linear",))["linear"],
            "validation": judged(model.embed_source, seen, ("linear",))["linear"],
        }
    runs = list(rows.values())

    def chosen(by: str) -> dict[str, float]:
        alike = float(spearmanr([r[by] for r in runs], [r["linear"] for r in runs]).statistic)
        return max(runs, key=lambda r: r[by]) | {"spearman": alike}

    return rows | {
        f"{method}, chosen by RankMe": chosen("rankme"),
        f"{method}, chosen by the encoder's RankMe": chosen("of the encoder"),
        f"{method}, chosen by labels": chosen("validation"),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(of_method, method) for method in RUNS], budget, seeds)
    checks = []
    for method in RUNS:
        chosen, best = (rows[f"{method}, chosen by {how}"] for how in ("RankMe", "labels"))
        lost = best["linear"] - chosen["linear"]
        checks += [
            Check(f"{method}: points lost by choosing by RankMe", lost, 1.5, below=True),
            Check(f"{method}: Spearman of RankMe and linear", chosen["spearman"], 0.6),
        ]
    collapsed = rows[named("vicreg", RUNS["vicreg"][-1])]["rankme"]
    return Evidence(
        list(rows.values()), [*checks, Check("RankMe of the collapsed run", collapsed, 2, below=True)]
    )
