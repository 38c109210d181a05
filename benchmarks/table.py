"""What was measured, beside what was asked for."""

import statistics
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

VIEWS = ("lightly", "kornia", "torchvision")  #: who else makes views
TARGETS = {  # name -> (figure to reach, whether more is better)
    "vs lightly default": (2.5, True),
    "vs lightly bf16": (1.2, True),
    "vs stable-pretraining default": (2.0, True),
    "vs stable-pretraining bf16": (1.2, True),
    "outside the network": (0.10, False),
    **{f"views at 32 px, {peer}": (15.0, True) for peer in VIEWS},
    **{f"views at 224 px, {peer}": (5.0, True) for peer in VIEWS},
    "import anyview": (0.3, False),
    "anyview --help": (0.3, False),
}
PEERS = tuple(f"{name} {what}" for name in ("lightly", "stable-pretraining") for what in ("fp32", "bf16"))
NETWORK = ("forward", "backward", "optimiser")
#: parts of a step in the order in which they come
PARTS = (
    "data",
    "views",
    "forward",
    "loss",
    "loss backward",
    "backward",
    "optimiser",
    "logging",
    "health",
    "checkpoint",
    "other",
)


def rate(run: dict[str, Any]) -> float:
    """Images a second of one measurement; with the long run's share of what is rare, where there is any."""
    return run["batch"] / run.get("long_run", run["seconds"] / run["steps"])


def summary(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def shares(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Median share of each part in a step of a long run, and ``outside``: all that is not the network."""
    tables = []
    for run in runs:
        parts = {part: seconds / run["steps"] for part, seconds in run["parts"].items()} | run["charged"]
        row = {part: parts.get(part, 0.0) / run["long_run"] for part in PARTS}
        tables.append(row | {"outside": 1 - sum(row[part] for part in NETWORK)})
    return {name: statistics.median(row[name] for row in tables) for name in tables[0]}


def conclude(raw: dict[str, Any]) -> dict[str, Any]:
    """Ratios, shares and verdicts from the raw figures; of a part of the run, those that can be had."""
    speeds = {name: [rate(run) for run in runs] for name, runs in raw.get("training", {}).items()}
    out: dict[str, Any] = {"images_per_s": {name: summary(values) for name, values in speeds.items()}}
    figures: dict[str, dict[str, float]] = {}
    for peer in PEERS:
        if peer in speeds:
            title = f"vs {peer.replace('fp32', 'default')}"
            # round by round, so that a machine that slows down slows both
            figures[title] = summary([a / b for a, b in zip(speeds["anyview"], speeds[peer])])
    if "anyview" in speeds:
        out["shares"] = {n: shares(raw["training"][n]) for n in ("anyview", "anyview fp32")}
        figures["outside the network"] = {"median": out["shares"]["anyview"]["outside"]}
    if "network" in speeds:
        out["by_subtraction"] = summary([1 - a / b for a, b in zip(speeds["anyview"], speeds["network"])])
    if "views" in raw:
        for side in ("32", "224"):
            rates = raw["views"][side]
            for peer in VIEWS:
                pairs = zip(rates["anyview"], rates[peer])
                figures[f"views at {side} px, {peer}"] = summary([a / b for a, b in pairs])
    for title, name in (("import anyview", "import"), ("anyview --help", "help")):
        if "startup" in raw:
            figures[title] = summary(raw["startup"][name])
    out["figures"] = figures
    out["met"] = {name: _met(name, figure["median"]) for name, figure in figures.items() if name in TARGETS}
    return out


def show(console: Console, raw: dict[str, Any], found: dict[str, Any]) -> None:
    """The tables: speeds, parts of a step, views, targets."""
    if found["images_per_s"]:
        speeds = found["images_per_s"]
        console.print("\nSimCLR, ResNet-18 at 32 px, batch 128; times each peer's speed")
        table = _table("", "images/s", "min to max", *(peer for peer in PEERS if peer in speeds), "")
        for name, s in speeds.items():
            ratios = [f"{s['median'] / speeds[peer]['median']:.2f}" for peer in PEERS if peer in speeds]
            remark = _remark(name, raw["training"][name])
            table.add_row(name, f"{s['median']:.1f}", f"{s['min']:.1f} to {s['max']:.1f}", *ratios, remark)
        console.print(table)
    if "shares" in found:
        table = _table("share of a step of anyview", *found["shares"])
        for part in found["shares"]["anyview"]:
            title = "outside the network" if part == "outside" else part
            table.add_row(title, *(f"{100 * row[part]:.2f} %" for row in found["shares"].values()))
        if "by_subtraction" in found:
            table.add_row(
                "the same, against the network alone", f"{100 * found['by_subtraction']['median']:.2f} %"
            )
        console.print("", table, sep="\n")
    if "views" in raw:
        sides = ("32", "224")
        table = _table("two views of an image, one core, images/s", *(f"{side} px" for side in sides))
        for name in ("anyview", *VIEWS):
            rates = [statistics.median(raw["views"][side][name]) for side in sides]
            table.add_row(name, *(f"{rate:,.0f}" for rate in rates))
        console.print("", table, sep="\n")
    table = _table("asked for", "measured", "min to max", "target", "")
    for name, figure in found["figures"].items():
        if name not in TARGETS:
            continue
        target, more = TARGETS[name]
        form = _form(name)
        cells = [
            form(figure["median"]),
            f"{form(figure['min'])} to {form(figure['max'])}" if "min" in figure else "",
        ]
        verdict = "met" if found["met"][name] else "NOT MET"
        table.add_row(name, *cells, f"{'at least' if more else 'at most'} {form(target)}", verdict)
    console.print("", table, sep="\n")


def _met(name: str, value: float) -> bool:
    target, more = TARGETS[name]
    return value >= target if more else value <= target


def _form(name: str) -> Any:
    if "network" in name:
        return lambda x: f"{100 * x:.1f} %"
    if "anyview" in name:
        return lambda x: f"{x:.3f} s"
    return lambda x: f"{x:.2f} x"


def _remark(name: str, runs: Sequence[dict[str, Any]]) -> str:
    """What one must know of a row to read it."""
    if name == "network":
        return f"{runs[0]['precision']}, without a loop"
    if name in PEERS:
        return f"{runs[0]['workers']} workers" + (" (default)" if runs[0]["precision"] == "fp32" else "")
    return f"{runs[0]['precision']}, all on" + (" (default)" if name == "anyview" else "")


def _table(title: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="", title_justify="left")
    table.add_column(title, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    return table
