"""``anyview health RUN DATA``"""

import json
import shlex

from rich.table import Table

from anyview.api import health, read_health
from anyview.cli.common import Parser, console, say_lines
from anyview.cli.encoder import ENCODER, elsewhere_options, load_encoder
from anyview.evaluation.health import Condition

#: figure -> how its row is called
ROWS = {
    "rank": "effective rank",
    "dims": "dimensions that share the variance",
    "std": "deviation, of 1",
    "uniformity": "uniformity",
    "alpha": "exponent of the spectrum",
    "constant": "constant dimensions, %",
    "twin": "samples that share a point, %",
}
SHARES = ("constant", "twin")


def run(args: list[str]) -> int:
    p = Parser("health", "Look for signs of collapse in the embeddings of any encoder, without labels.")
    p.add_argument("run", help=ENCODER)
    p.add_argument("data", help="what to embed, labelled or not (2,000 samples at most)")
    p.add_argument("--split", help="one split of data that has several (default: train)")
    p.add_argument("--seed", type=int, default=0, help="of the samples that are drawn (default 0)")
    p.add_argument("--json", action="store_true", help="print the figures as JSON")
    elsewhere_options(p)
    found = p.parse_all(args)
    out = console(found.json)
    model = load_encoder(found)
    with out.status("embedding"):
        state = health(model, found.data, split=found.split, seed=found.seed)
    if found.json:
        print(json.dumps(state.record(), indent=2))
        return 0
    out.print(table(state), markup=False)
    lines = [("verdict", state.verdict)]
    if watched := read_health(model.run):
        lines.append(("training", str(watched.get("verdict") or "was not watched")))
    again = shlex.join(["anyview", "evaluate", found.run, found.data])
    say_lines(out, [*lines, ("next", f"{again}, with labels")])
    return 0


def table(state: Condition) -> Table:
    """The figures beside those of fresh weights, where there are some."""
    columns = {f"{state.samples:,} samples": state.figures} | (
        {"untrained": state.untrained} if state.untrained else {}
    )
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    shown.add_column("", no_wrap=True)
    for head in columns:
        shown.add_column(head, justify="right", no_wrap=True)
    for name, title in ROWS.items():
        shown.add_row(title, *(cell(name, figures) for figures in columns.values()))
    return shown


def cell(name: str, figures: dict[str, float]) -> str:
    if name in SHARES:
        return f"{100 * figures[name]:.1f}"
    return f"{figures[name]:.1f} of {figures['rank_of']:.0f}" if name == "rank" else f"{figures[name]:.2f}"
