"""Who leads, how sure, and at what cost: read from the runs of a contest."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anyview.evaluation.entries import Entry, Row, finite, read_baseline, read_method
from anyview.evaluation.metrics import metric
from anyview.evaluation.paired import Difference, paired
from anyview.evaluation.result import Result
from anyview.evaluation.verdict import BASELINES
from anyview.files import read_json


@dataclass(frozen=True)
class Standing:
    """The leaderboard.

    Attributes:
        rows: all (protocol, metric) in order; ``main`` is the one that decides.
        methods: from best to worst by ``main``; those without any figure come last.
        baselines: ``untrained`` and ``raw``, as far as they were judged.
        differences: of all pairs by ``main``, baselines included.
        levels: what the curves on validation must rise above, with the ``protocol`` they are made by.
    """

    folder: Path
    settings: dict[str, Any]
    rows: list[Row]
    main: Row
    methods: list[Entry]
    baselines: list[Entry]
    differences: list[Difference]
    levels: dict[str, Any]
    seeds: int

    def title(self, row: Row) -> str:
        return Result(*row, "test", {}).title

    def difference(self, a: str, b: str) -> Difference | None:
        return next((d for d in self.differences if {d.first, d.second} == {a, b}), None)

    @property
    def judged(self) -> list[Entry]:
        return [entry for entry in self.methods if self.main in entry.figures]

    def sure_best(self) -> str | None:
        """The method that is surely above every other; None when the next may be as good."""
        if len(self.judged) < 2:
            return None
        first, *rest = (entry.name for entry in self.judged)
        gaps = [self.difference(first, name) for name in rest]
        return first if all(d is not None and d.first == first and d.sure for d in gaps) else None

    def record(self) -> dict[str, Any]:
        """What ``compare --json`` prints and ``compare.json`` keeps."""
        return {
            "settings": self.settings,
            "main": {"protocol": self.main[0], "metric": self.main[1]},
            "methods": [entry.record() for entry in self.methods],
            "baselines": [entry.record() for entry in self.baselines],
            "differences": [finite(asdict(d) | {"sure": d.sure}) for d in self.differences],
            "verdict": verdict(self),
        }


def standing(folder: Path, methods: Sequence[str], seeds: int) -> Standing | None:
    """The leaderboard of what is done so far in ``folder``; None while no run is."""
    entries = [read_method(folder, method, seeds) for method in methods]
    rows = list(dict.fromkeys(row for entry in entries for row in entry.figures))
    if not rows:
        return None
    main = next((row for row in rows if row[0] == "linear"), rows[0])
    base = [b for b in (read_baseline(folder, methods, seeds, name) for name in BASELINES) if b.figures]
    higher = metric(main[1]).higher
    sign = 1 if higher else -1
    judged = sorted((e for e in entries if main in e.figures), key=lambda e: -sign * e.mean(main))
    listed = {e.name: e.figures[main] for e in [*judged, *base] if main in e.figures}
    settings = read_json(folder / "contest.json")
    return Standing(
        folder,
        settings,
        rows,
        main,
        [*judged, *(e for e in entries if main not in e.figures)],
        base,
        paired(listed, higher),
        read_json(folder / "levels.json", {}),
        seeds,
    )


def verdict(table: Standing) -> str:
    """Which one, how sure, and whether it was worth it."""
    if not table.judged:
        return "No run has figures."
    best, *rest = table.judged
    title, main = table.title(table.main), table.main
    first = f"{best.name} leads by {title}: {shown(main, best.mean(main))}"
    if len(best.figures[main]) > 1:
        first += f" ± {shown(main, best.std(main))} over {len(best.figures[main])} seeds"
    parts = [first + "."]
    if rest and table.seeds == 1:
        parts.append("With one seed nobody can say whether that is chance; give --seeds 3.")
    elif rest:
        parts.append(_compared(table, best, rest))
    for base in table.baselines:
        if main not in base.figures:
            continue
        name = "raw features" if base.name == "raw" else "the untrained encoder"
        sign = 1 if metric(main[1]).higher else -1
        below = [e.name for e in table.judged if sign * (e.mean(main) - base.mean(main)) <= 0]
        if below:
            parts.append(f"Not above {name} ({shown(main, base.mean(main))}): {', '.join(below)}.")
    if failed := [e.name for e in table.methods if e.failed]:
        parts.append(f"Failed in some seed: {', '.join(failed)}.")
    if collapsed := [e.name for e in table.methods if e.collapsed]:
        parts.append(f"Collapsed in some seed: {', '.join(collapsed)}.")
    return " ".join(parts)


def _compared(table: Standing, best: Entry, rest: Sequence[Entry]) -> str:
    """The best against each other one: surely above it, above it if nothing but this pair were compared, or open."""
    surely, alone, maybe = [], [], []
    for entry in rest:
        d = table.difference(best.name, entry.name)
        if d is None:
            continue
        ends = [shown(table.main, value, True) for value in (d.mean, d.low, d.high)]
        gap = f"{entry.name} ({ends[0]}, 95 % {ends[1]} to {ends[2]})"
        if d.first == best.name and d.sure:
            surely.append(entry.name)
        elif d.low > 0:
            alone.append(gap)
        else:
            maybe.append(gap)
    parts = [f"surely above {', '.join(surely)}"] if surely else []
    if alone:
        pairs = f"among all {len(table.differences)} pairs that may be chance"
        parts.append(f"above {', '.join(alone)} when looked at alone, but {pairs}")
    if maybe:
        parts.append(f"not surely above {', '.join(maybe)}")
    said = "; ".join(parts) or "the others have no seed in common with it"
    return said[:1].upper() + said[1:] + "."


def shown(row: Row, value: float, sign: bool = False) -> str:
    """A figure in the unit of its metric: percent for shares."""
    text = f"{100 * value:.1f}" if metric(row[1]).percent else f"{value:.3g}"
    return ("+" if sign and value > 0 else "") + text.replace("-", "−")
