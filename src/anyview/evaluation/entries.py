"""A method (or a baseline) over its seeds, read from the run folders of a contest."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anyview.evaluation.contest import FIGURES, run_folder
from anyview.evaluation.paired import interval
from anyview.evaluation.result import Result
from anyview.files import read_json
from anyview.training.folder import read_config

#: figures of health.json that stand beside those with labels
CRITERIA = ("rank", "rank_of", "alpha", "uniformity", "std")

Row = tuple[str, str]  #: protocol and metric


@dataclass(frozen=True)
class Entry:
    """A method (or a baseline), over its seeds.

    Attributes:
        figures: (protocol, metric) -> seed -> figure on test.
        criteria: name -> mean over seeds of what needs no labels; empty for baselines.
        cost: minutes of training a run, samples seen, samples a second.
        curves: for each seed, (minutes, quality on validation) on its way.
        failed: seed -> why there is no figure.
        collapsed: seeds whose health says so.
    """

    name: str
    figures: dict[Row, dict[int, float]]
    criteria: dict[str, float]
    cost: dict[str, float]
    curves: list[list[tuple[float, float]]]
    failed: dict[int, str]
    collapsed: list[int]

    def mean(self, row: Row) -> float:
        return float(np.mean(list(self.figures[row].values())))

    def std(self, row: Row) -> float:
        values = list(self.figures[row].values())
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    def record(self) -> dict[str, Any]:
        """In JSON's types."""
        figures = []
        for row, by_seed in self.figures.items():
            low, high = interval(np.array(list(by_seed.values())))
            about = {"protocol": row[0], "metric": row[1], "split": "test", "n": len(by_seed)}
            spread = {"mean": self.mean(row), "std": self.std(row), "low": low, "high": high}
            figures.append(finite(about | spread) | {"seeds": {str(k): v for k, v in by_seed.items()}})
        return {
            "name": self.name,
            "figures": figures,
            "criteria": self.criteria,
            "cost": self.cost,
            "curves": self.curves,
            "failed": {str(k): v for k, v in self.failed.items()},
            "collapsed": self.collapsed,
        }


def finite(record: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: an interval that is not known is null."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in record.items()}


def read_method(folder: Path, method: str, seeds: int) -> Entry:
    """What the runs of a method have left so far."""
    figures: dict[Row, dict[int, float]] = {}
    curves, failed, collapsed = [], {}, []
    criteria: dict[str, list[float]] = {}
    cost: dict[str, list[float]] = {}
    for seed in range(seeds):
        run = run_folder(folder, method, seed)
        if (run / "failed.txt").is_file():
            failed[seed] = (run / "failed.txt").read_text(encoding="utf-8").strip()
        if not (run / FIGURES).is_file():
            continue
        for record in read_json(run / FIGURES):
            result = Result.from_record(record)
            if "pretrained" in result.figures:
                row = (result.protocol, result.metric)
                figures.setdefault(row, {})[seed] = result.figures["pretrained"].mean
        health = read_json(run / "health.json", {})
        for name in CRITERIA:
            if name in health.get("last", {}):
                criteria.setdefault(name, []).append(health["last"][name])
        if health.get("collapsed"):
            collapsed.append(seed)
        for name, value in _spent(run).items():
            cost.setdefault(name, []).append(value)
        if way := [row for row in read_json(run / "quality.json", []) if row["quality"] is not None]:
            curves.append([(row["seconds"] / 60, row["quality"]) for row in way])
    return Entry(method, figures, _means(criteria), _means(cost), curves, failed, collapsed)


def _means(each: dict[str, list[float]]) -> dict[str, float]:
    return {name: float(np.mean(values)) for name, values in each.items()}


def read_baseline(folder: Path, methods: Sequence[str], seeds: int, name: str) -> Entry:
    """A baseline by seed: what stands beside the first method that was judged in this seed."""
    figures: dict[Row, dict[int, float]] = {}
    for seed in range(seeds):
        for method in methods:
            for record in read_json(run_folder(folder, method, seed) / FIGURES, []):
                result = Result.from_record(record)
                if name in result.figures:
                    row = (result.protocol, result.metric)
                    figures.setdefault(row, {}).setdefault(seed, result.figures[name].mean)
    return Entry(name, figures, {}, {}, [], {}, [])


def _spent(run: Path) -> dict[str, float]:
    """Minutes of training, samples seen and a second, from the last row of metrics.csv."""
    path = run / "metrics.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        last = list(csv.DictReader(file))[-1]
    seconds = float(last["seconds"])
    seen = float(last["step"]) * read_config(run)["training"]["batch_size"]
    return {"minutes": seconds / 60, "samples": seen, "samples_per_s": seen / max(seconds, 1e-9)}
