"""Results as a table: for the terminal through rich, and as Markdown."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from anyview.evaluation.result import Result

WIDTH = 80


def columns(results: Sequence[Result], raw_name: str, method: str) -> dict[str, str]:
    """Representation -> heading: baselines, others as they come, the method, the supervised net."""
    present = list(dict.fromkeys(name for r in results for name in r.figures))
    last = ["pretrained", "supervised"]
    order = ["untrained", "raw", *(n for n in present if n not in ("untrained", "raw", *last)), *last]
    heading = {"raw": raw_name, "pretrained": method}
    return {name: heading.get(name, name) for name in order if name in present}


def best(result: Result) -> str | None:
    """The representation that is clearly above every other; None when the next is within the interval."""
    top = result.best(list(result.figures))
    rest = [name for name in result.figures if name != top]
    return top if top and rest and all(result.above(top, name) for name in rest) else None


def note(result: Result, raw_name: str) -> str:
    """What must not be overlooked: that raw features or the untrained encoder win here."""
    baseline = result.baseline
    if "pretrained" not in result.figures or baseline is None or result.gain("pretrained", baseline) >= 0:
        return ""
    winner = raw_name if baseline == "raw" else baseline
    return f"← {winner} win{'' if winner.endswith('s') else 's'} here"


def figures(result: Result, name: str) -> tuple[str, str]:
    """Mean and spread as text: shares in percent; others to two digits of their spread. A dash for no figure."""
    figure = result.figures.get(name)
    if figure is None:
        return "–", ""
    if result.measure.percent:
        return f"{100 * figure.mean:.1f}", f"{100 * figure.std:.1f}"
    size = figure.std or abs(figure.mean) / 10 or 1.0
    digits = min(max(0, 1 - math.floor(math.log10(size))), 6) if math.isfinite(size) else 3
    return f"{figure.mean:.{digits}f}", f"{figure.std:.{digits}f}"


def interval(result: Result, name: str) -> str:
    """The 95% interval as text, with the digits of the mean; empty where there is none."""
    figure = result.figures.get(name)
    if figure is None or figure.low is None or figure.high is None:
        return ""
    unit, digits = (
        (100, 1) if result.measure.percent else (1, len(figures(result, name)[0].partition(".")[2]))
    )
    return f"{unit * figure.low:.{digits}f} to {unit * figure.high:.{digits}f}"


def cell(result: Result, name: str) -> str:
    """A figure with its spread."""
    mean, spread = figures(result, name)
    return f"{mean} ± {spread}" if spread else mean


def results_table(
    results: Sequence[Result], raw_name: str = "raw pixels", method: str = "simclr", width: int = WIDTH
) -> Table:
    """The figures, one protocol a row; fits in 80 columns and needs no colour. Where there is room, the 95% interval
    of the method stands behind them.

    Bold is the best of a row when it is clearly above the next (:meth:`Result.above`).
    """
    heads = columns(results, raw_name, method)
    cells = [[r.title, *(cell(r, name) for name in heads)] for r in results]
    used = sum(max(map(len, column)) + 2 for column in zip(["", *heads.values()], *cells))
    notes = [note(r, raw_name) for r in results]
    short = [n.rpartition(" win")[0] for n in notes]  # the arrow and the name
    between = [interval(r, "pretrained") for r in results]
    more = max(map(len, between), default=0) + 2
    shown = any(between) and used + more + max(map(len, short), default=0) <= width
    if used + shown * more + max(map(len, notes), default=0) > WIDTH:
        notes = short
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=True, header_style="")
    table.add_column("", no_wrap=True)
    for head in heads.values():
        table.add_column(head, justify="right", no_wrap=True)
    if shown:
        table.add_column("95 %", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for result, row, ends, remark in zip(results, cells, between, notes):
        winner = best(result)
        texts = [Text(text, "bold" if name == winner else "") for name, text in zip(heads, row[1:])]
        table.add_row(row[0], *texts, *([ends] if shown else []), remark)
    return table


def print_results(
    results: Sequence[Result],
    raw_name: str = "raw pixels",
    method: str = "simclr",
    console: Console | None = None,
) -> None:
    """Prints the table and what ± stands for; without colour or bold where the output is not a terminal."""
    console = console or Console()
    if not console.is_terminal:  # a pipe has no width: nothing is cut
        console = Console(file=console.file, width=1000, color_system=None)
    console.print(results_table(results, raw_name, method, console.width))
    console.print(caption(results, method), style="dim", highlight=False)


def caption(results: Sequence[Result], method: str = "pretrained") -> str:
    """What the figures and their spread are, in one line."""
    drawn: dict[str, int] = {}
    for r in (r for r in results if r.draws):
        drawn[r.draws] = max(drawn.get(r.draws, 0), *(f.n for f in r.figures.values()))
    sampled = any(not r.draws for r in results)
    shares = dict.fromkeys(f"{r.measure.title} on {r.split}" for r in results if r.measure.percent)
    others = dict.fromkeys(f"{r.measure.title} on {r.split}" for r in results if not r.measure.percent)
    what = "; ".join(filter(None, [", ".join(shares) and f"{', '.join(shares)} in %", ", ".join(others)]))
    spread = [f"over {n} draws of {thing}" for thing, n in drawn.items()]
    spread += ["else sampling error of test" if drawn else "sampling error of test"] if sampled else []
    ends = f"; 95 %: interval of {method}" if any(interval(r, "pretrained") for r in results) else ""
    return f"{what}; ± {', '.join(spread)}{ends}"


def results_markdown(results: Sequence[Result], raw_name: str = "raw pixels", method: str = "simclr") -> str:
    """The same table for a page of documentation."""
    heads = columns(results, raw_name, method)
    between = {id(r): interval(r, "pretrained") for r in results}
    shown = any(between.values())
    titles = [*heads.values(), *(["95 %"] if shown else [])]
    lines = ["| | " + " | ".join(titles) + " | |", "|---|" + "---:|" * len(titles) + "---|"]
    for result in results:
        winner = best(result)
        cells = [cell(result, name) for name in heads]
        cells = [f"**{text}**" if name == winner else text for name, text in zip(heads, cells)]
        cells += [between[id(result)]] if shown else []
        lines.append(
            f"| {result.title} | " + " | ".join(cells) + f" | {note(result, raw_name)} |".replace("  |", " |")
        )
    return "\n".join(lines) + "\n"
