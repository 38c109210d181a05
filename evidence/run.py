"""``python -m evidence.run SYSTEM``: runs a system's script, prints its table, keeps the result.

What holds is computed from the rows; nothing here is written by hand.
"""

import argparse
import datetime
import importlib
import platform
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

from anyview.errors import InputError, unknown
from anyview.files import write_json
from evidence.common import SPENT, Evidence, Row

HERE = Path(__file__).parent
SCRIPTS = sorted(
    p.stem
    for p in HERE.glob("*.py")
    if p.stem not in ("__init__", "common", "finetune", "run", "side_by_side", "collapse", "health")
)
SCRIPTS += sorted(f"modalities/{p.stem}" for p in HERE.glob("modalities/*.py") if p.stem != "__init__")


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("system", help=f"a system or modality: one of {', '.join(SCRIPTS)}")
    p.add_argument("--budget", type=int, help="epochs of a training (default: the script's)")
    p.add_argument("--seeds", type=int, default=3, help="number of seeds (default 3)")
    p.add_argument("--dry", action="store_true", help="do not keep the result")
    args = p.parse_args()
    name = args.system.replace("-", "_")
    if name not in SCRIPTS:
        raise unknown("evidence script", args.system, SCRIPTS)
    script = importlib.import_module(f"evidence.{name.replace('/', '.')}")
    start = time.monotonic()
    found: Evidence = script.run(args.budget or script.BUDGET, list(range(args.seeds)))
    minutes = (time.monotonic() - start) / 60
    show(script.CLAIM, found, minutes)
    if not args.dry:
        write_json(
            HERE / "results" / f"{args.system}.json",
            {
                "system": args.system,
                "claim": script.CLAIM,
                "holds": all(check.holds for check in found.checks),
                "rows": [row.record() for row in found.rows],
                "checks": [check.record() for check in found.checks],
                "seeds": args.seeds,
                "budget": f"{args.budget or script.BUDGET} epochs",
                "minutes": round(minutes, 1),
                "core_minutes": round(sum(SPENT) / 60, 1),
                "date": datetime.date.today().isoformat(),
                "commit": commit(),
                "machine": machine(),
                **said(script),
            },
        )
    return 0


def said(script: ModuleType) -> dict[str, Any]:
    """What a script says for the pages, where it does: the figures that sum it up, and a note on them."""
    found: dict[str, Any] = {}
    if hasattr(script, "HEADLINES"):
        found["headlines"] = [asdict(h) for h in script.HEADLINES]
    if hasattr(script, "NOTE"):
        found["note"] = script.NOTE
    return found


def show(claim: str, found: Evidence, minutes: float) -> None:
    console = Console(highlight=False)
    console.print(claim, soft_wrap=True)
    metrics = list(dict.fromkeys(m for row in found.rows for m in row.figures))
    table = Table("", *metrics, box=None, pad_edge=False)
    for row in found.rows:
        table.add_row(row.name, *(cell(row, m) for m in metrics))
    console.print(table)
    for check in found.checks:
        sign = "<" if check.below else "≥"
        state = "holds" if check.holds else "DOES NOT HOLD"
        console.print(
            f"{state:<14} {check.text}: {check.value:.2f} (needed {sign} {check.needed:g})", soft_wrap=True
        )
    console.print(f"{minutes:.1f} min, {sum(SPENT) / 60:.1f} of one core")


def cell(row: Row, metric: str) -> str:
    figure = row.figures.get(metric)
    if figure is None:
        return ""
    return f"{figure.mean:.1f} ± {figure.std:.1f}" if figure.n > 1 else f"{figure.mean:.1f}"


def commit() -> str:
    """The commit the result was made at, with a plus when the tree had changes."""
    try:
        sha = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, cwd=HERE
        )
        dirty = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "src"], cwd=HERE).returncode
        return sha.stdout.strip() + ("+" if dirty else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine() -> str:
    """Processor and cores, as the system names them."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        name = next(
            (x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")),
            name,
        )
    import os

    return f"{name}, {os.cpu_count()} cores"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"error: {error}")
