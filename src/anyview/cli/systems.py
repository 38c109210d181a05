"""``anyview systems``"""

import json

from rich.text import Text

from anyview.cli.common import Parser, console
from anyview.errors import unknown
from anyview.modalities import NAMES, modality
from anyview.register import KINDS, systems
from anyview.training.plan import obstacle


def run(args: list[str]) -> int:
    p = Parser("systems", "List the published systems that are implemented, and the evidence for each.")
    p.add_argument("--modality", help="only those usable on this modality")
    p.add_argument("--kind", help="only those of this kind: method, objective, evaluation, ...")
    p.add_argument(
        "--grid", action="store_true", help="pretraining methods by kind of data: what runs on what"
    )
    p.add_argument("--json", action="store_true", help="print as JSON")
    found = p.parse_all(args)
    if found.kind is not None and found.kind not in KINDS:
        raise unknown("kind", found.kind, KINDS)
    if found.modality is not None:
        modality(found.modality)
    listed = systems(found.modality, found.kind)
    if found.grid:
        return grid(found.modality, found.json)
    if found.json:
        print(json.dumps([s.record() for s in listed], indent=2))
        return 0
    out = console()
    heads = ("id", "kind", "year", "evidence", "title")
    rows = [heads, *((s.id, s.kind, str(s.year), s.state, s.title) for s in listed)]
    widths = [max(map(len, column)) for column in list(zip(*rows))[:-1]]
    for row in rows:
        line = Text("  ".join([*(cell.ljust(n) for cell, n in zip(row, widths)), row[-1]]))
        if out.is_terminal:  # a title that does not fit is cut, so that each system has a line
            line.truncate(out.width, overflow="ellipsis")
        out.print(line, style="bold" if row is heads and out.is_terminal else None)
    return 0


def grid(only: str | None, as_json: bool) -> int:
    """Methods down, modalities across; below, why what does not run does not."""
    kinds = [only] if only else list(NAMES)
    cells = {s.id: {k: obstacle(s, k) for k in kinds} for s in systems(kind="method")}
    if as_json:
        rows = [
            {"method": m, "modality": k, "runs": why is None, "why": why}
            for m, row in cells.items()
            for k, why in row.items()
        ]
        print(json.dumps(rows, indent=2))
        return 0
    out = console()
    first = max(len(m) for m in ["method", *cells])
    out.print("  ".join(["method".ljust(first), *kinds]), style="bold" if out.is_terminal else None)
    for m, row in cells.items():
        marks = [("yes" if why is None else "-").ljust(len(kind)) for kind, why in row.items()]
        out.print("  ".join([m.ljust(first), *marks]).rstrip(), markup=False)
    for m, row in cells.items():
        for why in row.values():
            if why is not None:
                out.print(f"- {m}: {why}", markup=False)
    return 0
