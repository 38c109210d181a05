"""``python -m benchmarks.simclr``: anyview's SimCLR beside its peers', views, and how long a person waits for imports.

All read the same images from memory: CIFAR-10 from ``$ANYVIEW_DATA``, else noise of its shape.
Figures are kept in ``results/simclr.json`` unless only a part is measured.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import machine, startup, table
from benchmarks.contest import WARMUP, contest, prepare, take_turns, turns

RESULT = Path(__file__).parent / "results" / "simclr.json"
PARTS = ("training", "views", "startup")
#: in the order of their turns
CONTESTANTS: dict[str, dict[str, Any]] = {
    "anyview": {"kind": "anyview", "precision": "auto"},
    "lightly fp32": {"kind": "lightly", "precision": "fp32"},
    "network": {"kind": "network", "precision": "auto"},
    "lightly bf16": {"kind": "lightly", "precision": "bf16"},
    "stable-pretraining fp32": {"kind": "stable-pretraining", "precision": "fp32"},
    "stable-pretraining bf16": {"kind": "stable-pretraining", "precision": "bf16"},
    "anyview fp32": {"kind": "anyview", "precision": "fp32"},
}


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
        if "training" in chosen:
            able = bool(machine.BF16 & set(here["flags"]))
            if not able:
                console.print(
                    "note      no bf16 instructions: targets of speed were set for processors with them"
                )
            names = [name for name in CONTESTANTS if able or not name.endswith("bf16")]
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
    return 0


def _options() -> argparse.Namespace:
    return turns("simclr", __doc__, PARTS)


if __name__ == "__main__":
    sys.exit(main())
