"""``python -m evidence.side_by_side``: every method that runs on images, on the same images, trained for the same
number of epochs with its defaults, judged alike. Keeps each method when it is done, and goes on where it stopped.

Pictures of 16 pixels are too small for the crops of the papers, so those of all methods with small crops are larger,
and alike. Speed is measured in seconds of one core's own time, so that what else the machine does hardly counts.
"""

import argparse
import datetime
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from anyview.errors import InputError
from anyview.files import write_json
from anyview.register import systems
from anyview.training.plan import method_class, obstacle
from evidence.common import SMALL_VIT, Row, cifar10, judged, one_thread, pretrained
from evidence.run import HERE, commit, machine

KEPT = HERE / "results" / "comparisons" / "side_by_side.json"
EPOCHS, TRAIN, TEST = 5, 6000, 3000
CROPS = {"global_scale": (0.4, 1.0), "local_scale": (0.2, 0.5), "local_count": 2}
#: the smallest network whose cells see a part of the image, at a batch that its many negatives leave room for
LOCAL = {"encoder__name": "localnet-s", "encoder__width": 16, "batch_size": 32}
PROTOCOLS = ("knn", "linear", "fewshot")
FIGURES = {"knn": "knn", "linear": "linear", "fewshot-5": "5 labels a class", "rank": "RankMe"}


def methods() -> list[str]:
    """Those that run on images."""
    return [s.id for s in systems(kind="method") if obstacle(s, "image") is None]


def network(system: str) -> str:
    """The kind of encoder that a method trains here."""
    cls = method_class(system)
    if (cls.encoder_for or cls.needs) == "tokens":
        return "ViT"
    return "local cells" if cls.needs == "local_views" else "convolutions"


def figures(found: dict[str, float]) -> dict[str, float]:
    return {title: found[name] for name, title in FIGURES.items()}


def trained(system: str, seed: int) -> dict[str, dict[str, float]]:
    """A method's row, and that of its encoder untrained."""
    data, cls = cifar10(train=TRAIN, test=TEST), method_class(system)
    options: dict[str, Any] = dict(CROPS) if cls.needs == "multi_crop" else {}
    options |= {"ViT": SMALL_VIT, "local cells": LOCAL}.get(network(system), {})
    start = time.process_time()
    _, model = pretrained(system, data, seed, EPOCHS, **options)
    spent = time.process_time() - start
    row = figures(judged(model.embed_source, data, PROTOCOLS))
    row |= {"images/s": EPOCHS * len(data.train) / spent, "minutes": spent / 60}
    untrained = figures(judged(model.untrained(data.train, seed).embed_source, data, PROTOCOLS))
    rows = {system: row, f"untrained, {network(system)}": untrained}
    if system == "simclr":
        rows["raw pixels"] = figures(judged(model.raw(data.train), data, PROTOCOLS))
    return rows


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("systems", nargs="*", help="methods to measure (default: all that are not kept yet)")
    p.add_argument("--seeds", type=int, default=1, help="number of seeds (default 1)")
    args = p.parse_args()
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {"runs": {}}
    runs = kept["runs"]  # row -> seed -> figures
    for name in args.systems:
        runs.pop(name, None)
    jobs = [
        (system, seed)
        for seed in range(args.seeds)
        for system in args.systems or methods()
        if str(seed) not in runs.get(system, {})
    ]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), one_thread) as pool:
        waiting = {pool.submit(trained, *job): job for job in jobs}
        for done in as_completed(waiting):
            system, seed = waiting[done]
            if error := done.exception():
                pool.shutdown(wait=False, cancel_futures=True)
                raise RuntimeError(f"{system}, seed {seed}, failed") from error
            for row, found in done.result().items():
                runs.setdefault(row, {})[str(seed)] = found
            print(system, seed, {k: round(v, 1) for k, v in runs[system][str(seed)].items()}, flush=True)
            rows = [Row.over(name, list(each.values())).record() for name, each in runs.items()]
            about = {
                "data": f"CIFAR-10 at 16 pixels, {TRAIN:,} images for training, {TEST:,} for the test",
                "epochs": EPOCHS,
                "networks": {name: network(name) for name in methods()},
                "date": datetime.date.today().isoformat(),
                "commit": commit(),
                "machine": machine(),
            }
            write_json(KEPT, about | {"rows": rows, "runs": runs})
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"error: {error}")
