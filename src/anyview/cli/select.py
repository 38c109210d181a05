"""``anyview select RUNS... --by rankme``"""

import json
import math

from rich.table import Table

from anyview.cli.common import Parser, console, say_lines
from anyview.evaluation.select import Ranked, select
from anyview.objectives.criteria import CRITERIA


def run(args: list[str]) -> int:
    p = Parser("select", "Rank runs without labels, by what their embeddings look like.")
    p.add_argument("runs", nargs="+", metavar="RUN", help="folders of finished runs, such as runs/vicreg-*")
    p.add_argument(
        "--by", default="rankme", metavar="NAME", help=f"of {', '.join(CRITERIA)} (default rankme)"
    )
    p.add_argument("--data", help="what to embed (default: what each run learned from)")
    p.add_argument("--json", action="store_true", help="print the figures as JSON, best first")
    found = p.parse_all(args)
    out = console(found.json)
    with out.status("reading") as status:
        ranked = select(found.runs, found.by, found.data, say=status.update)
    if found.json:
        print(json.dumps([{**r.record(), "criterion": found.by} for r in ranked], indent=2))
        return 0
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for head, side in (("run", "left"), ("method", "left"), (found.by, "right"), ("of", "right")):
        table.add_column(head, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for r in ranked:
        table.add_row(str(r.run), r.method, figure(r), f"{r.samples:,} x {r.dim}")
    out.print(table, markup=False)
    criterion = CRITERIA[found.by]
    first, second = ranked[:2]
    best = f"{first.run} · {criterion.title} {figure(first)}, next {figure(second)} ({criterion.better} is better)"
    say_lines(
        out, [("best", best), *cautions(ranked), ("next", f"anyview evaluate {first.run} DATA, with labels")]
    )
    return 0


def figure(r: Ranked) -> str:
    return f"{r.value:.4g}" if math.isfinite(r.value) else "not finite"


def cautions(ranked: list[Ranked]) -> list[tuple[str, str]]:
    """What makes these runs hard to compare."""
    methods, dims = {r.method for r in ranked}, {r.dim for r in ranked}
    if len(methods) == 1 and len(dims) == 1:
        return []
    differ = [word for word, many in (("methods", methods), ("widths", dims)) if len(many) > 1]
    return [
        ("but", f"these runs are of several {' and '.join(differ)}, between which such figures say little")
    ]
