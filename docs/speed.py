"""The page of speed: what was measured beside others, what bounds it, and how cost grows."""

import json
from collections.abc import Callable
from typing import Any

import compared
import numpy as np

from anyview.report.charts import Line, line_chart
from benchmarks import rows
from benchmarks.roofline import said

INTRO = (
    "# Speed\n\n"
    "<!-- made by docs/build.py from benchmarks/results; do not edit by hand -->\n\n"
    "Every figure is a ratio from one run on one machine of two cores, in which both sides took turns, "
    "each in a process of its own; the other side is its own documented code with its defaults. *x* above "
    "1 is how many times as quick; of memory it is the share. The kept files name machine, versions and "
    "commit. Ratios that need instructions for bf16 say whether the machine had them. What was asked for "
    "and not reached is listed as well, with what bounds it where that is known. `make bench` measures "
    "all of it, in some 20 minutes. solo-learn takes no part: its release on PyPI asks for torch 1.9.1, of "
    "which there is no build for a Python that anyview runs on."
)
HEADS = ("path", "beside", "measured", "asked for", "reached", "when, and how to measure it again")
GROWTH = (
    "## How cost grows\n\n"
    "On generated data, each point in a process of its own (`python -m benchmarks.growth`): seconds of "
    "one pass, and the memory by which the process grew. The exponent is that between the two largest "
    "sizes; 1 is linear, 2 quadratic. It should be no more than what the mathematics asks, which stands "
    "in brackets."
)


def read(name: str) -> dict[str, Any] | None:
    path = rows.RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def page(table: Callable[..., str]) -> str:
    parts = [INTRO]
    if roofline := read("roofline"):
        parts.append(
            f"What the machine of {roofline['date'][:10]} ({roofline['machine']['cpu']}, "
            f"{roofline['machine']['cores']} cores) can do at most, measured by torch with all of its threads: "
            f"{said(roofline['figures'])}."
        )
    parts.append(table(HEADS, rows.cells()))
    if growth := read("growth"):
        lines = []
        for name, kept in growth["paths"].items():
            sizes = list(kept["points"])
            ends = [kept["points"][sizes[i]] for i in (0, -1)]
            grows = [
                f"n^{kept['exponents'][what]:.2f} ({kept['allowed'][what]:g})" for what in ("seconds", "mb")
            ]
            lines.append(
                (
                    kept["title"],
                    f"{int(sizes[0]):,} to {int(sizes[-1]):,} {kept['axis']}",
                    " to ".join(f"{rounded(end['seconds'])} s" for end in ends),
                    grows[0],
                    " to ".join(f"{rounded(end['mb'])} MB" for end in ends),
                    grows[1],
                    f"[drawn](speed/{name}.svg)",
                )
            )
        heads = ("path", "from, to", "time", "grows as", "memory", "grows as", "")
        parts += [GROWTH, table(heads, lines)]
    return "\n\n".join(parts) + "\n"


def rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def drawings() -> dict[str, str]:
    """File name -> time and memory against size, beside each other, all axes logarithmic."""
    growth = read("growth")
    found = {}
    for name, kept in (growth["paths"] if growth else {}).items():
        x = np.array([float(size) for size in kept["points"]])
        panels = []
        for what, label in (("seconds", "seconds"), ("mb", "MB")):
            y = np.array([point[what] or np.nan for point in kept["points"].values()])  # 0 has no logarithm
            panels.append(
                line_chart(
                    [Line(x, y)],
                    x_label=kept["axis"],
                    y_label=label,
                    about=f"{label} of {kept['title']} against {kept['axis']}",
                    log_x=True,
                    log_y=True,
                    width=compared.WIDTH,
                    height=compared.HEIGHT,
                )
            )
        found[f"{name}.svg"] = compared.beside(panels)
    return found
