"""``python -m benchmarks.run``: anyview's SimCLR beside lightly's on this machine, in one run.

Contestants take turns, each time in a process of its own, so that a machine that drifts does not decide.
All read the same images from memory: CIFAR-10 from ``$ANYVIEW_DATA``, else noise of its shape.
Figures are kept in ``results/simclr.json`` unless only a part is measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import machine, startup, table

ROOT = Path(__file__).resolve().parent.parent
RESULT = Path(__file__).parent / "results" / "simclr.json"
PARTS = ("training", "views", "judging", "startup")
BF16 = {"avx512_bf16", "amx_bf16"}  #: instructions without which bf16 crawls and is not compared
WARMUP = 2  #: steps before the clock starts: kernels are chosen and workers filled by then
#: contestants in the order of their turns; lightly's ``workers`` are settled by the first round
CONTESTANTS: dict[str, dict[str, Any]] = {
    "anyview": {"kind": "anyview", "precision": "auto"},
    "lightly fp32": {"kind": "lightly", "precision": "fp32"},
    "network": {"kind": "network", "precision": "auto"},
    "lightly bf16": {"kind": "lightly", "precision": "bf16"},
    "anyview fp32": {"kind": "anyview", "precision": "fp32"},
}
SELDOM = ("anyview fp32",)  #: takes part in every second round: it is slow and no target hangs on it


def main() -> int:
    options = _options()
    live = sys.stdout.isatty()
    console = Console(highlight=False) if live else Console(width=200, color_system=None, highlight=False)
    start, here = time.monotonic(), machine.describe()
    console.print(
        f"machine   {here['cpu']} · {here['cores']} cores · {', '.join(here['flags']) or 'no bf16'}"
    )
    load = here["load_before"]
    if load is not None and load > 0.5:
        console.print(f"warning   other work runs here (load {load}): these figures will mean little")
    if here["threads_set"]:
        console.print(f"warning   threads are limited: {here['threads_set']}")
    chosen = options.only or PARTS
    raw: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        images, source = Path(folder) / "images.npy", None
        if set(chosen) & {"training", "views"}:
            source = prepare(images)
            console.print(f"images    {source}")
        if "startup" in chosen:
            raw["startup"] = startup.seconds()
        if "views" in chosen:
            raw["views"] = contest("views", images, rounds=5, seconds=0.2 * options.steps)
        if "judging" in chosen:
            raw["judging"] = contest("judging", images, rounds=options.rounds)
        if "training" in chosen:
            able = bool(BF16 & set(here["flags"]))
            if not able:
                console.print(
                    "note      no bf16 instructions: targets of speed were set for processors with them"
                )
            names = [name for name in CONTESTANTS if able or name != "lightly bf16"]
            entered = {name: CONTESTANTS[name] for name in names}
            raw["training"] = take_turns(console, entered, images, options.steps, options.rounds)
    found = table.conclude(raw)
    table.show(console, raw, found)
    if options.only:
        return 0
    record = {
        **machine.about(start, here),
        "images": source,
        "settings": {"batch_size": 128, "warmup": WARMUP, "steps": options.steps, "rounds": options.rounds},
        "targets": {
            k: {"figure": t, "better": "more" if m else "less"} for k, (t, m) in table.TARGETS.items()
        },
        **found,
        "raw": raw,
    }
    machine.keep(RESULT, record)
    console.print(f"\nwrote     {RESULT.relative_to(ROOT)} after {record['minutes']:.1f} minutes")
    return 0


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
    """``rounds`` measurements of each contestant, in turn. In the first round lightly runs without and with
    a worker for each core (its documentation takes 8), and keeps what was better for it."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants}
    cores = machine.cores()
    workers: dict[str, list[int]] = {
        name: [0, cores] for name, c in contestants.items() if c["kind"] == "lightly"
    }
    for turn in range(rounds):
        for name, contestant in contestants.items():
            if name in SELDOM and turn % 2:
                continue
            tried = [
                contest(**contestant, images=images, steps=steps, warmup=WARMUP, **extra)
                for extra in ([{"workers": n} for n in workers[name]] if name in workers else [{}])
            ]
            best = max(tried, key=table.rate)
            if name in workers:
                workers[name] = [best["workers"]]
                best["tried"] = {str(run["workers"]): table.rate(run) for run in tried}
            results[name].append(best)
            console.print(f"round {turn + 1}/{rounds}  {name:<13} {table.rate(best):7.1f} images/s")
    return results


def contest(kind: str, images: Path, **options: Any) -> dict[str, Any]:
    """What one contestant measures in a fresh process; exits with its own words when it fails."""
    task = json.dumps({"kind": kind, "images": str(images), **options})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.contestant", task], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        raise SystemExit(f"error: the contestant {kind} {options} failed; its last words are above")
    return json.loads(done.stdout.splitlines()[-1])


def _options() -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.partition("\n")[0])
    p.add_argument("--steps", type=int, default=5, help="steps that are timed in each turn (default: 5)")
    p.add_argument("--rounds", type=int, default=3, help="turns of each contestant (default: 3)")
    p.add_argument(
        "--only", nargs="+", choices=PARTS, metavar="NAME", help=f"measure only {', '.join(PARTS)}"
    )
    options = p.parse_args()
    if options.steps < 1 or options.rounds < 1:
        p.error("--steps and --rounds are at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
