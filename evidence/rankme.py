"""RankMe against labels: which of several settings of one method, on CIFAR-10 at 16 pixels.

Ranked are encoders, whose projections are thrown away here; the paper ranks projections or encoders.
"""

from functools import partial
from typing import Any

import torch
from scipy.stats import spearmanr

from anyview.data.source import Dataset
from anyview.objectives.spectrum import rankme
from evidence.common import Check, Evidence, Figures, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "Among runs of VICReg with other weights, and of SimCLR with other temperatures, the one that RankMe chooses is at "
    "most 1.5 points of a linear probe below the one that labels choose, and RankMe ranks them as the probe does."
)
BUDGET = 5
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
        _, model = pretrained(method, data, seed, budget, **options, batch_size=64)
        rows[named(method, options)] = {
            "rankme": float(rankme(model.embed_source(data.train.take(torch.arange(SAMPLES))))),
            "linear": judged(model.embed_source, data, ("linear",))["linear"],
            "validation": judged(model.embed_source, seen, ("linear",))["linear"],
        }
    runs = list(rows.values())
    rank = float(spearmanr([r["rankme"] for r in runs], [r["linear"] for r in runs]).statistic)
    return rows | {
        f"{method}, chosen by RankMe": max(runs, key=lambda r: r["rankme"]) | {"spearman": rank},
        f"{method}, chosen by labels": max(runs, key=lambda r: r["validation"]),
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
