"""What a run folder holds, and whether two hold the same."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import load_file

from anyview.training.checkpoint import read
from anyview.training.health import COLUMNS

#: columns that tell the time, and those whose moment it decides
CLOCK = {"seconds", "samples_per_s", "wait"}
WHEN = set(COLUMNS)
#: results that hold no time; health.json says when a collapse was seen, which the clock decides
EXACT = {"data.json", "samples.npz", "embedding.npz", "encoder/config.json", "encoder/model.safetensors",
         "evaluation.json", "verdict.txt"}  # fmt: skip


def torn(run: Path) -> list[str]:
    """Files under their final name that cannot be read whole; there must never be one."""
    bad = []
    for path in sorted(p for p in run.rglob("*") if p.is_file() and not p.name.endswith(".part")):
        try:
            _read(path)
        except Exception as error:
            bad.append(f"{path}: {error}")
    return bad


def _read(path: Path) -> Any:
    if path.suffix == ".ckpt":
        return read(path)
    if path.suffix == ".json":
        return json.loads(path.read_text())
    if path.suffix == ".yaml":
        return yaml.safe_load(path.read_text())
    if path.suffix == ".npz":
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    if path.suffix == ".safetensors":
        return load_file(path)
    if path.suffix == ".html" and not path.read_text().rstrip().endswith("</html>"):
        raise ValueError("the page does not end")
    return path.read_bytes()


def same(a: Any, b: Any) -> bool:
    """Equal to the bit, tensors and arrays included."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and _bytes(a) == _bytes(b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float) and math.isnan(a):
        return isinstance(b, float) and math.isnan(b)
    return type(a) is type(b) and bool(a == b)


def _bytes(x: torch.Tensor) -> bytes:
    return x.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def differences(run: Path, whole: Path, steps: bool = True) -> dict[str, int]:
    """What of an undisturbed run is missing or other in one that was disturbed -> how many bytes that is.

    Args:
        steps: compare what ``faults.child`` has noted of each step, too.
    """
    lost: dict[str, int] = {}
    for path in (p for p in whole.rglob("*") if p.is_file() and p.name != ".lock"):
        name = str(path.relative_to(whole))
        other = run / name
        if not other.is_file():
            lost[name] = path.stat().st_size
        elif name == "metrics.csv":
            lost |= _other_rows(other, path)
        elif name == "checkpoints/last.ckpt":
            a, b = read(other), read(path)
            for part in ("global_step", "state_dict", "optimizer_states"):
                if not same(a[part], b[part]):
                    lost[f"{name} {part}"] = path.stat().st_size
        elif name in EXACT and not same(_read(other), _read(path)):
            lost[name] = path.stat().st_size
    for left in (p for p in run.rglob("*.part") if p.is_file()):
        lost[f"{left.name} was left behind"] = left.stat().st_size
    if steps:
        lost |= _other_steps(run.with_suffix(".random"), whole.with_suffix(".random"))
    return lost


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _other_rows(path: Path, whole: Path) -> dict[str, int]:
    ours, theirs = _rows(path), _rows(whole)
    if [row["step"] for row in ours] != [row["step"] for row in theirs]:
        return {"metrics.csv steps": whole.stat().st_size}
    lost = {}
    for a, b in zip(ours, theirs):
        for key, value in b.items():
            unequal = a.get(key) != value and key not in CLOCK
            if unequal and not (key in WHEN and "" in (a.get(key), value)):
                lost[f"metrics.csv step {b['step']} {key}"] = len(value)
    return lost


def _other_steps(path: Path, whole: Path) -> dict[str, int]:
    """Steps that took other samples or left the generator in another state, in any sitting; lines may be torn."""
    expected = dict(line.split(" ", 1) for line in whole.read_text().splitlines())
    found = [line.split(" ", 1) for line in path.read_text().splitlines() if line.count(" ") == 2]
    lost = {f"step {step}": len(marks) for step, marks in found if expected.get(step) != marks}
    return lost | {f"step {step} never made": 1 for step in expected.keys() - {step for step, _ in found}}
