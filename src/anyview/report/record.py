"""Reads a run folder for its report. What is missing or broken is left out and said, never raised."""

import csv
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from anyview.errors import InputError
from anyview.evaluation.result import Figure, Result
from anyview.files import parse_json, parse_yaml

T = TypeVar("T")
BROKEN = (OSError, EOFError, ValueError, KeyError, MemoryError, csv.Error, zipfile.BadZipFile, zlib.error)


@dataclass
class Record:
    """What a run left behind; empty where a file is absent."""

    path: Path
    config: dict[str, Any] = field(default_factory=dict)
    config_text: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, np.ndarray] = field(default_factory=dict)
    """Columns of metrics.csv, float64, NaN where a row has no figure."""
    health: dict[str, Any] = field(default_factory=dict)
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    embedding: dict[str, np.ndarray] = field(default_factory=dict)
    evaluation: list[Result] = field(default_factory=list)
    verdict: str = ""
    notes: list[str] = field(default_factory=list)
    """Files that were there and could not be read."""

    def option(self, *names: str) -> Any:
        """The first of these dotted names that the configuration has, else None."""
        for name in names:
            value: Any = self.config
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            if value is not None and not isinstance(value, dict):
                return value
        return None

    def column(self, name: str) -> np.ndarray:
        """A column of the metrics, NaN throughout when there is none."""
        rows = len(next(iter(self.metrics.values()), ()))
        return self.metrics.get(name, np.full(rows, np.nan))

    def last(self, name: str) -> float:
        """The last figure of a column, NaN when there is none."""
        values = self.column(name)
        values = values[np.isfinite(values)]
        return float(values[-1]) if len(values) else float("nan")


def read_run(run: Path) -> Record:
    """All that the report needs from a run folder.

    Raises:
        InputError: when ``run`` is no folder, or holds nothing that a run leaves.
    """
    if not run.is_dir():
        raise InputError(f"no run folder {run}; give the folder that pretrain wrote, such as runs/demo")
    known = ("config.yaml", "metrics.csv", "embedding.npz", "evaluation.json", "health.json")
    if not any((run / name).is_file() for name in known):
        raise InputError(f"{run} is not a run folder: it holds none of {', '.join(known)}")
    record = Record(run)

    def read(name: str, reader: Callable[[Path], T], otherwise: T) -> T:
        if not (run / name).is_file():
            return otherwise
        try:
            return reader(run / name)
        except BROKEN as error:
            why = " ".join(str(error).split())[:160]
            record.notes.append(f"{name} could not be read and is left out ({why})")
            return otherwise

    record.config_text = read("config.yaml", _text, "")
    record.config = read("config.yaml", lambda p: _mapping(parse_yaml(_text(p))), {})
    record.data = read("data.json", lambda p: _mapping(parse_json(_text(p))), {})
    record.metrics = read("metrics.csv", _columns, {})
    record.health = read("health.json", lambda p: _mapping(parse_json(_text(p))), {})
    record.samples = read("samples.npz", _samples, {})
    record.embedding = read("embedding.npz", _embedding, {})
    record.evaluation = read("evaluation.json", lambda p: _results(parse_json(_text(p))), [])
    record.verdict = read("verdict.txt", _text, "").strip()
    return record


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"a mapping was expected, found {type(value).__name__}")
    return value


def _results(value: Any) -> list[Result]:
    """Evaluation records with finite figures only, so that the page need not ask again."""
    if not isinstance(value, list):
        raise ValueError(f"a list of records was expected, found {type(value).__name__}")
    results = []
    for row in value:
        figures = {
            str(name): Figure(float(f["mean"]), _finite(f.get("std")), int(_finite(f.get("n")) or 1))
            for name, f in _mapping(_mapping(row)["figures"]).items()
            if isinstance(f, dict) and np.isfinite(_finite(f.get("mean"), float("nan")))
        }
        if figures:
            protocol, metric, split = (str(row.get(key) or "") for key in ("protocol", "metric", "split"))
            results.append(Result(protocol, metric, split, figures))
    return results


def _finite(value: Any, otherwise: float = 0.0) -> float:
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else otherwise


def _columns(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        rows = list(table)
    return {
        name: np.array([_figure(row.get(name)) for row in rows]) for name in (table.fieldnames or ()) if rows
    }


def _figure(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _samples(path: Path) -> dict[str, np.ndarray]:
    arrays = _arrays(path)
    original, views = arrays["original"], arrays["views"]
    if original.ndim != 4 or views.ndim != 5 or len(original) != len(views) or not len(original):
        raise ValueError(f"shapes {original.shape} and {views.shape} are no samples and their views")
    return arrays


def _embedding(path: Path) -> dict[str, np.ndarray]:
    """Rows whose vector is finite, with their index; labels and thumbnails only where they fit."""
    arrays = _arrays(path)
    vectors = arrays["vectors"]
    if vectors.ndim != 2:
        raise ValueError(f"vectors of shape {vectors.shape} are no table of embeddings")
    fit = {k: v for k, v in arrays.items() if len(v) == len(vectors)}
    if "thumb" in fit and fit["thumb"].ndim != 4:
        del fit["thumb"]
    keep = np.isfinite(vectors).all(axis=1)
    fit.setdefault("index", np.arange(len(vectors)))
    return {name: values[keep] for name, values in fit.items()}
