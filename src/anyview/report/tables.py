"""Results as a table: for the terminal through rich, and as Markdown."""

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
    top = max(result.figures, key=lambda name: result.figures[name].mean)
    rest = [name for name in result.figures if name != top]
    return top if rest and all(result.above(top, name) for name in rest) else None


def note(result: Result, raw_name: str) -> str:
    """What must not be overlooked: that raw features or the untrained encoder win here."""
    ours, baseline = result.figures.get("pretrained"), result.baseline
    if ours is None or baseline is None or result.figures[baseline].mean <= ours.mean:
        return ""
    winner = raw_name if baseline == "raw" else baseline
    return f"← {winner} win{'' if winner.endswith('s') else 's'} here"


def percent(result: Result, name: str) -> str:
    figure = result.figures.get(name)
    return f"{100 * figure.mean:.1f} ± {100 * figure.std:.1f}" if figure else "–"


def results_table(results: Sequence[Result], raw_name: str = "raw pixels", method: str = "simclr") -> Table:
    """The figures in percent, one protocol a row; fits in 80 columns and needs no colour.

    Bold is the best of a row when it is clearly above the next (:meth:`Result.above`).
    """
    heads = columns(results, raw_name, method)
    cells = [[r.title, *(percent(r, name) for name in heads)] for r in results]
    used = sum(max(map(len, column)) + 2 for column in zip(["", *heads.values()], *cells))
    notes = [note(r, raw_name) for r in results]
    if used + max(map(len, notes), default=0) > WIDTH:  # keep the arrow and the name
        notes = [n.rpartition(" win")[0] for n in notes]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=True, header_style="")
    table.add_column("", no_wrap=True)
    for head in heads.values():
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for result, row, remark in zip(results, cells, notes):
        winner = best(result)
        figures = [Text(cell, "bold" if name == winner else "") for name, cell in zip(heads, row[1:])]
        table.add_row(row[0], *figures, remark)
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
    console.print(results_table(results, raw_name, method))
    console.print(caption(results), style="dim", highlight=False)


def caption(results: Sequence[Result]) -> str:
    """What the figures and their spread are, in one line."""
    draws = {f.n for r in results if r.protocol.startswith("fewshot") for f in r.figures.values()}
    sampled = any(not r.protocol.startswith("fewshot") for r in results)
    what = ", ".join(dict.fromkeys(f"{r.metric} on {r.split}" for r in results))
    spread = [f"over {max(draws)} draws of labels"] if draws else []
    spread += ["else sampling error of test" if draws else "sampling error of test"] if sampled else []
    return f"{what} in %; ± {', '.join(spread)}"


def results_markdown(results: Sequence[Result], raw_name: str = "raw pixels", method: str = "simclr") -> str:
    """The same table for a page of documentation."""
    heads = columns(results, raw_name, method)
    lines = ["| | " + " | ".join(heads.values()) + " | |", "|---|" + "---:|" * len(heads) + "---|"]
    for result in results:
        winner = best(result)
        cells = [percent(result, name) for name in heads]
        cells = [f"**{cell}**" if name == winner else cell for name, cell in zip(heads, cells)]
        lines.append(
            f"| {result.title} | " + " | ".join(cells) + f" | {note(result, raw_name)} |".replace("  |", " |")
        )
    return "\n".join(lines) + "\n"
