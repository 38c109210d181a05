"""``python -m benchmarks.processes``: ``anyview pretrain`` by two processes (gloo) beside one, same global batch.

Both are run as a person runs them, in turn, for the same time, on the same images in memory. One process has all cores
for its threads; two have half of them each. The small network leaves cores idle, since its layers are too short to be
shared by threads; ResNet-18 does not, and shows the limit. Figures are kept in ``results/processes.json``.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
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
    rates: dict[str, dict[str, list[float]]] = {name: {"one": [], "two": []} for name in NETWORKS}
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.npy"
        source = prepare(images)
        for turn in range(options.rounds):
            for name in NETWORKS:
                for count, key in ((1, "one"), (2, "two")):
                    rates[name][key].append(rate(images, name, count, options.minutes))
                    console.print(
                        f"round {turn + 1}/{options.rounds}  {name:<10} {key} {rates[name][key][-1]:8.1f} images/s"
                    )
    ratios = {
        name: summary([two / one for one, two in zip(found["one"], found["two"])])
        for name, found in rates.items()
    }
    for name, ratio in ratios.items():
        console.print(
            f"{name:<10} two processes {ratio['median']:.2f} times as quick ({ratio['min']:.2f} to {ratio['max']:.2f})"
        )
    record = {
        **machine.about(start, here),
        "images": source,
        "settings": {"networks": NETWORKS, "minutes": options.minutes, "rounds": options.rounds},
        "target": {"convnet-s": TARGET},
        "ratios": ratios,
        "holds": ratios["convnet-s"]["median"] >= TARGET,
        "images_per_s": rates,
    }
    machine.keep(RESULT, record)
    return 0


def rate(images: Path, network: str, processes: int, minutes: float) -> float:
    """Images a second of a run, from its own log: all steps after ``WARMUP`` rows."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        given: dict[str, Any] = {"encoder": network, "devices": processes, "minutes": minutes, "out": run}
        arguments = [f"--{k}={v}" for k, v in (given | NETWORKS[network]).items()]
        command = [sys.executable, "-m", "anyview", "pretrain", "simclr", str(images), *arguments]
        command += ["--set", "training.log_steps=2", "--set", "training.health=false"]
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
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
    return NETWORKS[network]["batch-size"] * (last - first) / (ended - began)


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
