"""What several methods look like beside each other: the page of one budget, and the drawings of collapse."""

from typing import Any

import numpy as np

from anyview.report.charts import Line, line_chart

Record = dict[str, Any]

STYLE = (
    "svg{background:#fff;font-family:system-ui,sans-serif} text{font-size:12px;fill:#5d656f} .name{fill:#1d2126} "
    ".grid{stroke:#eceded} .axis{stroke:#8a929b} .line{fill:none;stroke:#b3261e;stroke-width:1.8} "
    ".line.faint{stroke:#9cc3da;stroke-width:1.8}"
)
WIDTH, HEIGHT = 320, 200
PANELS = (
    ("loss", ("loss",)),
    ("effective rank of what is compared", ("rank_z", "rank")),
    ("its deviation", ("std_z", "std")),
)


def by_nearest_neighbours(kept: Record) -> tuple[list[str], list[Record], list[str]]:
    """Metrics, rows from best to worst, and the methods that their untrained network beats, of ``side_by_side``."""
    metrics = list(dict.fromkeys(m for r in kept["rows"] for m in r["figures"]))
    of = {r["name"]: r["figures"] for r in kept["rows"]}
    below = []
    for name, figures in of.items():
        base = of.get(f"untrained, {kept['networks'].get(name)}")
        if base is not None and all(figures[m]["mean"] < base[m]["mean"] for m in ("knn", "linear")):
            below.append(name)
    return metrics, sorted(kept["rows"], key=lambda r: -r["figures"]["knn"]["mean"]), below


def notes(kept: Record, below: list[str]) -> tuple[str, str]:
    """What to know before the table, and after it."""
    before = (
        f"{kept['data']}; every method with its defaults for {kept['epochs']} epochs, on a small network of the kind "
        "it needs. Crops of methods with small crops hold 0.4 to 1 and 0.2 to 0.5 of the area, since less of 16 pixels "
        "shows nothing. Time is that of one core. This is one budget, and a small one: methods that need long runs or "
        "many samples (relabelling, masks, teachers) are at a loss here; a method's own evidence "
        "([systems](systems.md)) is run as its paper asks. `supcon` reads labels. Differences below two points say "
        "nothing."
    )
    beaten = ", ".join(f"`{name}`" for name in below)
    after = f"Beaten by their untrained network in this budget: {beaten}.\n\n" if below else ""
    after += f"{kept['machine']}, {kept['date']}, commit `{kept['commit']}`; "
    after += "again with `python -m evidence.side_by_side`."
    return before, after


def drawings(kept: Record | None) -> dict[str, str]:
    """The pictures of docs/collapse.md by name: what health saw of a method, whole (pale) and broken."""
    runs = kept["runs"] if kept else []
    whole = {run["system"]: run for run in runs if run["what"] == "whole"}
    found = {}
    for run in runs:
        if run["what"] == "whole":
            continue
        panels = []
        for title, columns in PANELS:
            column = next(c for c in columns if c in run["curves"])
            lines = [Line(*curve(whole[run["system"]], column), "faint"), Line(*curve(run, column))]
            about = f"{title} of {run['system']}, whole and with {run['what']}"
            panels.append(
                line_chart(lines, x_label="step", y_label=title, about=about, width=WIDTH, height=HEIGHT)
            )
        found[f"{run['system']}-{run['what'].replace(' ', '-')}.svg"] = beside(panels)
    return found


def curve(run: Record, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values where there are any."""
    pairs = [(x, y) for x, y in zip(run["curves"]["step"], run["curves"][column]) if y is not None]
    return np.array([x for x, _ in pairs], dtype=float), np.array([y for _, y in pairs], dtype=float)


def beside(panels: list[str]) -> str:
    """Plots in a row, in a file of its own with the colours of the report by day."""
    placed = [
        panel.replace("<svg ", f'<svg x="{i * WIDTH}" width="{WIDTH}" height="{HEIGHT}" ', 1)
        for i, panel in enumerate(panels)
    ]
    size = f'width="{len(panels) * WIDTH}" height="{HEIGHT}" viewBox="0 0 {len(panels) * WIDTH} {HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>{"".join(placed)}</svg>\n'
