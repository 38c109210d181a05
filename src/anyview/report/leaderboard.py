"""The leaderboard of a contest for the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from anyview.evaluation.standing import Standing, shown

MOST = 4  #: columns of figures that fit beside the names in 80 characters


def leaderboard(table: Standing) -> Table:
    """Methods from best to worst, baselines below; the row that decides comes first, others as far as they fit."""
    rows = [table.main, *(row for row in table.rows if row != table.main)][:MOST]
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    drawn.add_column("", no_wrap=True)
    for row in rows:
        drawn.add_column(table.title(row), justify="right")
    drawn.add_column("rank", justify="right", no_wrap=True)
    sure = table.sure_best()
    for entry in [*table.methods, *table.baselines]:
        cells = []
        for row in rows:
            if row not in entry.figures:
                cells.append(Text("–"))
                continue
            spread = f" ± {shown(row, entry.std(row))}" if entry.std(row) else ""
            best = entry.name == sure and row == table.main
            cells.append(Text(shown(row, entry.mean(row)) + spread, "bold" if best else ""))
        rank = f"{entry.criteria['rank']:.0f}" if "rank" in entry.criteria else ""
        drawn.add_row(entry.name, *cells, rank)
    return drawn


def print_leaderboard(table: Standing, console: Console) -> None:
    if not console.is_terminal:  # a pipe has no width: nothing is cut
        console = Console(file=console.file, width=1000, color_system=None)
    console.print(leaderboard(table))
    console.print(
        f"on test, over {table.seeds} seed{'' if table.seeds == 1 else 's'}; rank: effective, of the embedding; "
        "bold: surely above every other",
        style="dim",
    )
