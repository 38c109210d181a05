"""``python -m benchmarks.processes``: ``anyview pretrain`` by two processes (gloo) beside one, same global batch.

Both are run as a person runs them, in turn, for the same time, on the same images in memory. One process has all cores
for its threads; two have half of them each. Two runs at once of half the batch and half the threads, which never speak
to each other, show the limit: nothing that two processes do together can be quicker. Figures are kept in
``results/processes.json``.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import machine
from benchmarks.contest import prepare
from benchmarks.table import summary

RESULT = Path(__file__).parent / "results" / "processes.json"
TARGET = 1.7  #: times as quick, on the network that leaves cores idle
#: network -> options of the run
NETWORKS = {
    "convnet-s": {"size": 16, "batch-size": 128},
    "resnet18": {"size": 32, "batch-size": 128},
}
WARMUP = 3  #: logged steps before the clock starts


def main() -> int:
    options = _options()
    start, here = time.monotonic(), machine.describe()
    console = Console(highlight=False, width=120)
    console.print(machine.said(here))
    rates: dict[str, dict[str, list[float]]] = {name: {way: [] for way in WAYS} for name in NETWORKS}
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.npy"
        source = prepare(images)
        for turn in range(options.rounds):
            for name in NETWORKS:
                for way, measure in WAYS.items():
                    rates[name][way].append(measure(images, name, options.minutes))
                    console.print(
                        f"round {turn + 1}/{options.rounds}  {name:<10} {way:<8} {rates[name][way][-1]:8.1f} images/s"
                    )
    ratios, limits = (
        {name: summary([b / a for a, b in zip(found["one"], found[way])]) for name, found in rates.items()}
        for way in ("two", "unspoken")
    )
    for name, ratio in ratios.items():
        console.print(
            f"{name:<10} two processes {ratio['median']:.2f} times as quick ({ratio['min']:.2f} to {ratio['max']:.2f}; "
            f"two that never speak {limits[name]['median']:.2f})"
        )
    record = {
        **machine.about(start, here),
        "images": source,
        "settings": {"networks": NETWORKS, "minutes": options.minutes, "rounds": options.rounds},
        "target": {"convnet-s": TARGET},
        "ratios": ratios,
        "limits": limits,
        "holds": ratios["convnet-s"]["median"] >= TARGET,
        "images_per_s": rates,
    }
    machine.keep(RESULT, record)
    return 0


def rate(images: Path, network: str, minutes: float, processes: int = 1, share: int = 1) -> float:
    """Images a second of a run, from its own log: all steps after ``WARMUP`` rows. With ``share``, of the batch and of
    the cores it has one part in so many."""
    with tempfile.TemporaryDirectory() as folder:
        run, batch = Path(folder) / "run", NETWORKS[network]["batch-size"] // share
        given: dict[str, Any] = {"encoder": network, "devices": processes, "minutes": minutes, "out": run}
        given |= NETWORKS[network] | {"batch-size": batch}
        arguments = [f"--{k}={v}" for k, v in given.items()]
        command = [sys.executable, "-m", "anyview", "pretrain", "simclr", str(images), *arguments]
        command += ["--set", "training.log_steps=2", "--set", "training.health=false"]
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
        if share > 1:
            environment["OMP_NUM_THREADS"] = str(max(1, machine.cores() // share))
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr)
            raise SystemExit(f"error: the run of {network} by {processes} failed; its last words are above")
        rows = list(csv.DictReader((run / "metrics.csv").open()))
    logged = [(int(r["step"]), float(r["seconds"])) for r in rows if r["loss"]]
    if len(logged) < WARMUP + 2:
        raise SystemExit(
            f"error: {network} took {len(logged)} logged steps; give more than {minutes} minutes"
        )
    (first, began), (last, ended) = logged[WARMUP], logged[-1]
    return batch * (last - first) / (ended - began)


def unspoken(images: Path, network: str, minutes: float) -> float:
    """Images a second of two runs at once, together."""
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(lambda _: rate(images, network, minutes, share=2), range(2)))


WAYS: dict[str, Callable[[Path, str, float], float]] = {
    "one": rate,
    "two": partial(rate, processes=2),
    "unspoken": unspoken,
}


def _options() -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="python -m benchmarks.processes", description=__doc__.partition("\n")[0])
    p.add_argument("--rounds", type=int, default=3, help="turns of each way (default: 3)")
    p.add_argument("--minutes", type=float, default=0.5, help="length of each run (default: 0.5)")
    options = p.parse_args()
    if options.rounds < 1 or options.minutes <= 0:
        p.error("--rounds is at least 1 and --minutes above 0")
    return options


if __name__ == "__main__":
    sys.exit(main())
