"""``python -m benchmarks.run``: every path beside its peer on this machine, in one run, as one table.

Each part is a benchmark of its own (``python -m benchmarks.NAME``), here with fewer rounds, one after another; run it
alone on the machine. Figures are kept in ``results/``; ``docs/build.py`` makes ``docs/speed.md`` of them.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import machine, rows
from benchmarks.contest import ROOT

#: in the order in which they run, with what makes them short
PARTS: dict[str, list[str]] = {
    "roofline": [],
    "simclr": ["--rounds", "1"],
    "steps": ["--rounds", "1"],
    "losses": ["--rounds", "1"],
    "ragged": ["--rounds", "1"],
    "embedding": ["--rounds", "1"],
    "judging": ["--rounds", "1"],
    "graph": ["--rounds", "3"],
    "processes": ["--rounds", "1", "--minutes", "0.2"],
    "accuracy": ["--minutes", "1.25"],
    "growth": [],
}


def main() -> int:
    options = _options()
    start, here = time.monotonic(), machine.describe()
    console = Console(highlight=False, width=150)
    if here["load_before"] and here["load_before"] > 0.5:
        console.print(
            f"warning   other work runs here (load {here['load_before']}): these figures will mean little"
        )
    failed = []
    for name in options.parts or PARTS:
        began = time.monotonic()
        print(f"\n--- {name}", flush=True)
        command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{name}", *PARTS[name]]
        if subprocess.run(command, cwd=ROOT).returncode:
            failed.append(name)
        print(f"--- {name}: {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    table = Table("path", "beside", "measured", "asked for", "reached", "when", box=None, pad_edge=False)
    for path, peer, measured, asked, reached, when in rows.cells():
        table.add_row(
            path.replace("`", ""), peer.replace("`", ""), measured, asked, reached, when.partition(";")[0]
        )
    console.print("", table)
    console.print(
        f"\n{(time.monotonic() - start) / 60:.1f} minutes; figures are in {Path('benchmarks/results')}"
    )
    if failed:
        console.print(f"error: {', '.join(failed)} failed; the words are above")
    return len(failed)


def _options() -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.partition("\n")[0])
    p.add_argument("parts", nargs="*", metavar="NAME", help=f"only these: {', '.join(PARTS)}")
    options = p.parse_args()
    if unknown := sorted(set(options.parts) - set(PARTS)):
        p.error(f"no benchmark {unknown[0]}; there are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
