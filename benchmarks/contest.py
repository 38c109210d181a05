"""Contestants that take turns, each time in a process of its own, so that a machine that drifts does not decide."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import machine, table

ROOT = Path(__file__).resolve().parent.parent
WARMUP = 2  #: steps before the clock starts: kernels are chosen and workers filled by then
SELDOM = ("anyview fp32",)  #: takes part in every second round: it is slow and no target hangs on it


def prepare(path: Path) -> str:
    """Writes the images that all contestants read as (50,000, 3, 32, 32) bytes; says what they are."""
    folder = Path(os.environ.get("ANYVIEW_DATA") or "nowhere") / "cifar10"
    if folder.is_dir():
        import torch

        import anyview.data

        train = anyview.data.open(folder, split="train").train
        np.save(path, train.fetch(torch.arange(len(train))).x.numpy())
        return "CIFAR-10 (train)"
    pixels = np.random.default_rng(0).integers(0, 256, (50_000, 3, 32, 32), dtype=np.uint8)
    np.save(path, pixels)
    return "noise of CIFAR-10's shape ($ANYVIEW_DATA/cifar10 is not there)"


def take_turns(
    console: Console, contestants: dict[str, dict[str, Any]], images: Path, steps: int, rounds: int
) -> dict[str, list[dict[str, Any]]]:
    """``rounds`` measurements of each contestant, in turn. Peers have a worker for each core; their documentation
    takes 8."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants}
    for turn in range(rounds):
        for name, contestant in contestants.items():
            if name in SELDOM and turn % 2:
                continue
            own = contestant["kind"] in ("anyview", "network")
            extra = {} if own else {"workers": machine.cores()}
            run = contest(**contestant, images=images, steps=steps, warmup=WARMUP, **extra)
            results[name].append(run)
            console.print(f"round {turn + 1}/{rounds}  {name:<23} {table.rate(run):7.1f} images/s")
    return results


def apart(module: str, *arguments: str) -> dict[str, Any]:
    """What ``python -m benchmarks.MODULE`` prints last, as JSON, in a process of its own.

    Raises:
        SystemExit: with its last words when it fails.
    """
    command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        raise SystemExit(f"error: {module} {' '.join(arguments)} failed; its last words are above")
    return json.loads(done.stdout.splitlines()[-1])


def contest(kind: str, images: Path, **options: Any) -> dict[str, Any]:
    """What one contestant measures in a fresh process; exits with its own words when it fails."""
    return apart("contestant", json.dumps({"kind": kind, "images": str(images), **options}))


def turns(name: str, doc: str, parts: Sequence[str]) -> argparse.Namespace:
    """The options of a benchmark whose contestants take turns; ``only`` measures a part and keeps nothing."""
    p = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=doc.partition("\n")[0])
    p.add_argument("--steps", type=int, default=5, help="steps that are timed in each turn (default: 5)")
    p.add_argument("--rounds", type=int, default=3, help="turns of each contestant (default: 3)")
    p.add_argument(
        "--only",
        nargs="+",
        choices=parts,
        metavar="NAME",
        help=f"measure only {', '.join(parts)}; keeps nothing",
    )
    options = p.parse_args()
    if options.steps < 1 or options.rounds < 1:
        p.error("--steps and --rounds are at least 1")
    return options
