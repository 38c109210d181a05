"""``python -m evidence.health``: eight collapses made on purpose, a break that is none, and 21 whole runs."""

import copy
import datetime
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset
from anyview.files import write_json
from anyview.training.plan import make_plan
from anyview.training.run import train
from evidence.common import SMALL_VIT, cifar10, one_thread
from evidence.run import HERE, commit, machine
from evidence.swav import OPTIONS as SWAV

KEPT = HERE / "results" / "comparisons" / "health.json"
EPOCHS = 4
DINO: dict[str, Any] = {"global_scale": (0.4, 1.0), "local_scale": (0.2, 0.5), "local_count": 2}
#: data2vec does not collapse by it in so few epochs; it is kept to show that health then says so
NO_TEACHER = {"method.momentum": 0.0, "end_momentum": 0.0}
JEPA: dict[str, Any] = {**SMALL_VIT, "predictor_depth": 1}
IBOT: dict[str, Any] = {**SMALL_VIT, **DINO}

#: (what is broken, method, data, options)
BROKEN: list[tuple[str, str, str, dict[str, Any]]] = [
    ("constant output", "vicreg", "cifar10", {"variance": 0.0, "covariance": 0.0}),
    ("dimensional collapse", "vicreg", "cifar10", {"covariance": 0.0}),
    ("one cluster", "swav", "cifar10", SWAV | {"iterations": 0}),
    ("predictor removed", "byol", "cifar10", {"predictor": False}),
    ("momentum of the teacher 0", "ibot", "cifar10", IBOT | {"method.momentum": 0.0}),
    ("the same, no collapse", "data2vec", "cifar10", SMALL_VIT | NO_TEACHER),
    ("temperature too low", "simclr", "cifar10", {"temperature": 0.005}),
    ("learning rate too high", "simclr", "cifar10", {"lr": 1.0}),
    ("labels of one class", "supcon", "one class", {}),
]
#: (method, data, options, seed)
WHOLE: list[tuple[str, str, dict[str, Any], int]] = [
    ("simclr", "cifar10", {}, 0),
    ("simclr", "cifar10", {}, 1),
    ("ibot", "cifar10", IBOT, 0),
    ("simclr", "digits", {}, 0),
    ("byol", "cifar10", {}, 0),
    ("byol", "digits", {}, 1),
    ("vicreg", "cifar10", {}, 0),
    ("vicreg", "digits", {}, 1),
    ("barlow-twins", "cifar10", {}, 0),
    ("simsiam", "cifar10", {}, 0),
    ("dino", "cifar10", DINO, 0),
    ("swav", "cifar10", SWAV, 0),
    ("mocov2", "cifar10", {}, 0),
    ("supcon", "cifar10", {}, 0),
    ("mae", "cifar10", SMALL_VIT, 0),
    ("data2vec", "cifar10", SMALL_VIT, 0),
    ("i-jepa", "cifar10", JEPA, 1),
    ("simclr", "ts_swedishleaf", {}, 0),
    ("byol", "ts_swedishleaf", {}, 1),
    ("vicreg", "adult", {}, 0),
    ("simclr", "subj", {"encoder__name": "bag-s"}, 0),
]


def opened(name: str) -> Dataset:
    """At most 2,000 samples to learn from; ``one class`` is CIFAR-10 whose labels are all the same."""
    if name in ("cifar10", "one class"):
        data = cifar10(train=2000, test=100)
        train = data.train
        if name == "one class":
            train = copy.copy(train)
            train.label = torch.zeros(len(train), dtype=torch.int64)
        return Dataset(name, data.modality, {"train": train})
    data = open_data(name)
    return Dataset(name, data.modality, {"train": data.train.take(torch.arange(min(2000, len(data.train))))})


def watched(system: str, data: str, options: dict[str, Any], seed: int) -> dict[str, Any]:
    """The verdict of health at the end of a short run, and its figures first and last."""
    named = {k.replace("__", "."): v for k, v in options.items()} | {"epochs": EPOCHS, "log_steps": 5}
    named = {"batch_size": 64} | named
    dataset = opened(data)
    if dataset.modality == "image" and not any(name.startswith("encoder.") for name in named):
        named |= {"encoder.name": "convnet-s", "encoder.width": 16}
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        train(make_plan(system, dataset, options=named, seed=seed), Path(folder))
        said = json.loads((Path(folder) / "health.json").read_text())
    return {"seconds": round(time.monotonic() - start, 1), **said}


def main() -> int:
    jobs = [(what, system, data, options, 0) for what, system, data, options in BROKEN]
    jobs += [("", *case) for case in WHOLE]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), one_thread) as pool:
        found = [pool.submit(watched, *job[1:]) for job in jobs]
        runs = []
        for (what, system, data, _, seed), future in zip(jobs, found):
            run = {"broken": what, "system": system, "data": data, "seed": seed, **future.result()}
            print(
                f"{what or 'whole':<26} {system:<13} {data:<15} {run['seconds']:5.1f} s  {run['verdict']}",
                flush=True,
            )
            runs.append(run)
    write_json(
        KEPT,
        {"runs": runs, "date": datetime.date.today().isoformat(), "commit": commit(), "machine": machine()},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
