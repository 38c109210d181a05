"""``python -m evidence.collapse``: a method of each family, whole and broken on purpose; keeps what health saw."""

import csv
import datetime
import json
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from anyview.files import write_json
from anyview.training.plan import make_plan
from anyview.training.run import train
from evidence.common import SMALL_VIT, cifar10, judged, one_thread
from evidence.run import HERE, commit, machine
from evidence.swav import OPTIONS as SWAV

KEPT = HERE / "results" / "comparisons" / "collapse.json"
EPOCHS = 6
COLUMNS = ("step", "loss", "rank", "std", "rank_z", "std_z", "alignment", "uniformity")
MASKED: dict[str, Any] = {**SMALL_VIT, "predictor_depth": 1}
DINO: dict[str, Any] = {"global_scale": (0.4, 1.0), "local_scale": (0.2, 0.5), "local_count": 2}

#: (family, method, its options, what is broken -> by which options)
CASES: list[tuple[str, str, dict[str, Any], dict[str, dict[str, Any]]]] = [
    ("contrastive", "simclr", {}, {"a rate 300 times too high": {"lr": 0.3}}),
    ("distillation", "byol", {}, {"no predictor": {"predictor": False}}),
    ("distillation", "dino", DINO, {"no centre": {"centre_momentum": 1.0}}),
    ("decorrelation", "vicreg", {}, {"no variance": {"variance": 0.0}, "no covariance": {"covariance": 0.0}}),
    ("clustering", "swav", SWAV, {"no balance": {"iterations": 0}}),
    ("equivariant", "care", {}, {"equivariance 300 times too heavy": {"equivariance": 270.0}}),
    ("masked", "i-jepa", MASKED, {"a teacher without memory": {"method.momentum": 0.0, "end_momentum": 0.0}}),
]


def watched(system: str, options: dict[str, Any]) -> dict[str, Any]:
    """Curves of health over the steps, its verdict, and nearest neighbours at the end in percent."""
    data = cifar10(train=3000, test=1500)
    named = {k.replace("__", "."): v for k, v in options.items()} | {"epochs": EPOCHS, "batch_size": 64}
    named |= {"log_steps": 5}
    if not any(name.startswith("encoder.") for name in named):
        named |= {"encoder.name": "convnet-s", "encoder.width": 16}
    with tempfile.TemporaryDirectory() as folder:
        model = train(make_plan(system, data, options=named, seed=0), Path(folder))
        rows = list(csv.DictReader((Path(folder) / "metrics.csv").read_text().splitlines()))
        said = json.loads((Path(folder) / "health.json").read_text())
    curves = {
        name: [float(row[name]) if row.get(name) else None for row in rows]
        for name in COLUMNS
        if any(row.get(name) for row in rows)
    }
    return {
        "curves": curves,
        "verdict": said["verdict"],
        "knn": judged(model.embed_source, data, ("knn",))["knn"],
    }


def main() -> int:
    jobs = [
        (family, system, what, options | broken)
        for family, system, options, breaks in CASES
        for what, broken in {"whole": {}, **breaks}.items()
    ]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), one_thread) as pool:
        found = [pool.submit(watched, system, options) for _, system, _, options in jobs]
        runs = [
            {"family": family, "system": system, "what": what, **future.result()}
            for (family, system, what, _), future in zip(jobs, found)
        ]
    for run in runs:
        print(run["family"], run["system"], run["what"], run["verdict"], f"knn {run['knn']:.1f}")
    about = {
        "epochs": EPOCHS,
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "machine": machine(),
    }
    write_json(KEPT, about | {"runs": runs})
    return 0


if __name__ == "__main__":
    sys.exit(main())
