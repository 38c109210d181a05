"""docs/bad-input.md, made from the tables that the tests of the readers hold: neither can change alone."""

import importlib
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1] / "tests" / "data"

HEAD = """# Broken and unusual input

<!-- made by docs/build.py from the tables in tests/data/test_data_broken_*.py; do not edit by hand -->

What each reader makes of input that is broken, hostile or merely odd: {rows} cases, each of them a test. There are three outcomes:

- **read**: it becomes samples as others, and where something was done to it, a note before training says so;
- **left out**: the sample is counted in the first line and listed with the reason in `skipped.csv` of the run;
- **refused**: nothing is written, and one line says what is wrong and with what. Words in *italics* stand in that line, or in the reason or note.

Whatever is read is finite when it reaches a network (a missing cell of a table or event excepted, which networks take as such). What was tried beyond these cases, by chance and by coverage, and what is not promised: [reliability](reliability.md).

| reader | cases | read | left out | refused |
| --- | ---: | ---: | ---: | ---: |
{summary}
"""


def tables() -> dict[str, list[Any]]:
    """The cases by reader, in order of name."""
    sys.path.insert(0, str(TESTS))
    try:
        names = sorted(path.stem for path in TESTS.glob("test_data_broken_*.py"))
        return {name.removeprefix("test_data_broken_"): importlib.import_module(name).TABLE for name in names}
    finally:
        sys.path.remove(str(TESTS))


def page() -> str:
    """The whole page."""
    found = tables()
    counts = {name: [outcome(case) for case in cases] for name, cases in found.items()}
    summary = "\n".join(
        f"| [{name}](#{name}) | {len(all_)} | "
        + " | ".join(str(all_.count(kind)) for kind in OUTCOMES)
        + " |"
        for name, all_ in counts.items()
    )
    parts = [HEAD.format(rows=sum(map(len, found.values())), summary=summary)]
    for name, cases in found.items():
        rows = "\n".join(f"| {cell(case.what)} | {cell(said(case))} |" for case in cases)
        parts.append(f"## {name}\n\n| input | what happens |\n| --- | --- |\n{rows}\n")
    return "\n".join(parts)


OUTCOMES = ("read", "left out", "refused")


def outcome(case: Any) -> str:
    return "refused" if not case.read else "left out" if case.left else "read"


def said(case: Any) -> str:
    """The outcome in words; what the program says in italics."""
    words = f": *{case.says.strip()}*" if case.says.strip() else ""
    return f"**{outcome(case)}**{words}" + (f"; {case.becomes}" if case.becomes else "")


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
