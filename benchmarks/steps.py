"""``python -m benchmarks.steps``: a step of DINO (two large and six small crops) and of MAE beside its peers'.

A ViT-tiny with patches of 4 on images of 32 pixels. anyview runs its whole loop, as ``anyview pretrain`` does; a peer
is what its examples are. Contestants take turns, each in a process of its own. Figures are kept in
``results/steps.json``.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import machine, settings, table
from benchmarks.contest import WARMUP, prepare, take_turns, turns

RESULT = Path(__file__).parent / "results" / "steps.json"
METHODS = ("dino", "mae")
#: how many times as quick as its peers anyview must be
TARGETS = {"fp32": 2.5, "bf16": 1.5}
PEERS = ("lightly", "stable-pretraining")


def contestants(method: str, able: bool) -> dict[str, dict[str, Any]]:
    """Those of one method, in the order of their turns; bf16 where the processor has it."""
    peers = {
        f"{peer} {precision}": {"kind": peer, "precision": precision, "method": method}
        for peer in PEERS
        for precision in (TARGETS if able else ("fp32",))
    }
    return {"anyview": {"kind": "anyview", "precision": "auto", "method": method}, **peers}


def main() -> int:
    options = _options()
    start, here = time.monotonic(), machine.describe()
    console = Console(highlight=False, width=120)
    console.print(machine.said(here))
    able = bool(machine.BF16 & set(here["flags"]))
    raw: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.npy"
        source = prepare(images)
        for method in options.only or METHODS:
            console.print(f"{method:<10}batch {settings.BATCH[method]}")
            raw[method] = take_turns(
                console, contestants(method, able), images, options.steps, options.rounds
            )
    ratios = {
        method: {
            peer: table.summary([table.rate(a) / table.rate(b) for a, b in zip(runs["anyview"], runs[peer])])
            for peer in runs
            if peer != "anyview"
        }
        for method, runs in raw.items()
    }
    met = {}
    for method, found in ratios.items():
        for peer, ratio in found.items():
            target = TARGETS[peer.rpartition(" ")[2]]
            met[f"{method}, {peer}"] = ratio["median"] >= target
            console.print(
                f"{method:<6} against {peer:<23} {ratio['median']:.2f} times as quick "
                f"({ratio['min']:.2f} to {ratio['max']:.2f}; needed: {target:g})"
            )
    for method, runs in raw.items():
        share = table.shares(runs["anyview"])
        largest = sorted(((v, k) for k, v in share.items() if k != "outside"), reverse=True)[:5]
        console.print(
            f"{method:<6} a step of anyview: " + ", ".join(f"{k} {100 * v:.0f} %" for v, k in largest)
        )
    if options.only:
        return 0
    record = {
        **machine.about(start, here),
        "images": source,
        "settings": {
            "batch": settings.BATCH,
            "network": settings.VIT,
            "dino": settings.DINO,
            "mae": settings.MAE,
            "steps": options.steps,
            "rounds": options.rounds,
            "warmup": WARMUP,
        },
        "targets": TARGETS,
        "ratios": ratios,
        "met": met,
        "holds": all(met.values()),
        "raw": raw,
    }
    machine.keep(RESULT, record)
    return 0


def _options() -> argparse.Namespace:
    return turns("steps", __doc__, METHODS)


if __name__ == "__main__":
    sys.exit(main())
