"""``compare.html``: one self-contained page that answers which method, how sure, and at what cost."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from anyview.evaluation.entries import Entry, Row
from anyview.evaluation.metrics import metric
from anyview.evaluation.paired import interval
from anyview.evaluation.standing import Standing, shown, verdict
from anyview.files import write_text
from anyview.report.charts import Dot, Level, Line, dots, line_chart, number
from anyview.report.parts import document, figure, missing, section

BASELINES = {"untrained": "same encoder, untrained", "raw": "raw features"}
COST = {
    "minutes": "minutes of training",
    "samples": "samples seen",
    "samples_per_s": "samples a second",
}
CRITERIA = {
    "rank": "effective rank",
    "alpha": "alpha-ReQ",
    "uniformity": "uniformity",
    "std": "deviation",
}


def write_comparison(table: Standing) -> Path:
    """Writes ``compare.html`` into the folder of a contest and returns its path."""
    path = table.folder / "compare.html"
    write_text(path, page(table))
    return path


def page(table: Standing) -> str:
    """The whole page as text."""
    data = str(table.settings["data"])
    title = f"{len(table.methods)} methods on {data}"
    parts = [
        f'<div class="verdict"><p>{escape(verdict(table))}</p></div>',
        section("Who leads", f'<div class="grid2 judged">{_leaders(table)}{_curves(table)}</div>'),
        section("All figures", _figures(table)),
        section("Who differs from whom, and how sure", _differences(table)),
        section("What needs no labels, and what it cost", _beside(table)),
        section("What was compared", _settings(table)),
    ]
    return document(title, "anyview compare", table.folder, parts)


def _leaders(table: Standing) -> str:
    main, unit = table.main, _unit(table.main)
    levels = {BASELINES[b.name]: unit * b.mean(main) for b in table.baselines if main in b.figures}
    rows = [Dot(e.name, unit * e.mean(main), unit * _half(e, main), levels) for e in table.judged]
    sure = table.sure_best()
    best = table.judged[0].name
    said = f"{best} is surely the best" if sure else f"{best} leads, but not surely over all"
    said = said if len(rows) > 1 else best
    keys = _keys([(name, f'<path class="r{i}" d="M7 0v16"/>') for i, name in enumerate(levels)])
    about = f"{table.title(main)}, on test. Bars: 95 % interval of the mean over seeds (Student's t)."
    measure = metric(main[1])
    remark = " (%)" if measure.percent else "" if measure.higher else " (less is better)"
    chart = dots(rows, x_label=f"{measure.title} on test{remark}", about=said)
    return figure(said, about, keys + chart)


def _half(entry: Entry, row: Row) -> float:
    """Half the width of the interval; 0 where one seed gives none."""
    low, high = interval(np.array(list(entry.figures[row].values())))
    return (high - low) / 2 if np.isfinite(high) else 0.0


def _curves(table: Standing) -> str:
    drawn = [(e, _mean_curve(e)) for e in table.judged if e.curves]
    if not drawn:
        return missing("Quality on the way is judged with labels of single samples only.")
    percent = table.levels.get("protocol") != "regression"
    unit = 100 if percent else 1
    what = "nearest neighbours" if percent else "ridge regression, R²"
    lines = [Line(x, unit * y, f"s{i % 10}") for i, (_, (x, y)) in enumerate(drawn)]
    levels = [
        Level(unit * table.levels[name], text)
        for name, text in BASELINES.items()
        if table.levels.get(name) is not None
    ]
    keys = _keys([(e.name, f'<path class="line s{i % 10}" d="M0 8h14"/>') for i, (e, _) in enumerate(drawn)])
    quickest = max(drawn, key=lambda pair: pair[1][1][len(pair[1][1]) // 2])[0].name
    said = f"Half-way, {quickest} was ahead"
    chart = line_chart(
        lines,
        x_label="minutes of training",
        y_label=what + (" (%)" if percent else ""),
        about=said,
        levels=levels,
        x_range=(0.0, float(max(line.x.max() for line in lines))),
    )
    return figure(said, "On a part of validation, while training; mean over seeds.", keys + chart)


def _mean_curve(entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    """Time and quality at each look, over the seeds that had it."""
    looks = max(len(curve) for curve in entry.curves)
    points = [np.array([curve[i] for curve in entry.curves if len(curve) > i]).mean(0) for i in range(looks)]
    x, y = np.array(points).T
    return x, y


def _figures(table: Standing) -> str:
    tops = {row: _top(table, row) for row in table.rows}
    body = []
    for entry in [*table.methods, *table.baselines]:
        cells = []
        for row in table.rows:
            if row not in entry.figures:
                cells.append("<td>–</td>")
                continue
            value = shown(row, entry.mean(row))
            value = f"<b>{value}</b>" if tops[row] == entry.name else value
            spread = f"± {shown(row, entry.std(row))}" if entry.std(row) else ""
            cells.append(f'<td>{value}<span class="pm">{spread}</span></td>')
        notes = [f"seed {s} failed" for s in entry.failed] + [f"seed {s} collapsed" for s in entry.collapsed]
        remark = f"<small>{escape('; '.join(notes))}</small>" if notes else ""
        name = BASELINES.get(entry.name, entry.name)
        body.append(f'<tr><th scope="row">{escape(name)}{remark}</th>{"".join(cells)}</tr>')
    about = "± is the deviation over seeds. Bold: the best, if its interval excludes the next."
    return _table(about, [table.title(row) for row in table.rows], body)


def _top(table: Standing, row: Row) -> str | None:
    """The best of a row when the interval of its mean excludes the mean of the next."""
    sign = 1 if metric(row[1]).higher else -1
    listed = sorted(
        (e for e in [*table.methods, *table.baselines] if row in e.figures), key=lambda e: -sign * e.mean(row)
    )
    if len(listed) < 2 or len(listed[0].figures[row]) < 2:
        return None
    gap = sign * (listed[0].mean(row) - listed[1].mean(row))
    return listed[0].name if gap > _half(listed[0], row) else None


def _differences(table: Standing) -> str:
    if table.seeds < 2:
        return missing("With one seed nothing can be said; give --seeds 3.")
    names = [e.name for e in [*table.judged, *table.baselines]]
    body = []
    for entry in table.judged:
        cells = []
        for other in names:
            d = table.difference(entry.name, other)
            if d is None:
                cells.append("<td>–</td>")
                continue
            sign = 1 if d.first == entry.name else -1
            value = shown(table.main, sign * d.mean, sign=True)
            value = f"<b>{value}</b>" if d.sure else value
            low, high = sorted((sign * d.low, sign * d.high))
            span = f"{shown(table.main, low)} to {shown(table.main, high)}" if np.isfinite(low) else ""
            cells.append(f'<td title="p = {d.p:.2g}">{value}<span class="pm">{span}</span></td>')
        body.append(f'<tr><th scope="row">{escape(entry.name)}</th>{"".join(cells)}</tr>')
    about = (
        f"By how much the row is better than the column, in {table.title(table.main)}, paired over seeds, with its "
        "95 % interval. Bold: sure (paired t-test, p below 0.05 after Holm's correction for all pairs)."
    )
    return _table(about, [BASELINES.get(n, n) for n in names], body)


def _beside(table: Standing) -> str:
    columns = [*CRITERIA.items(), *COST.items()]
    body = []
    for entry in table.methods:
        known = entry.criteria | entry.cost
        cells = []
        for name, _ in columns:
            text = number(known[name]) if name in known else "–"
            if name == "rank" and "rank_of" in known and name in known:
                text += f'<span class="pm">of {number(known["rank_of"])}</span>'
            cells.append(f"<td>{text}</td>")
        body.append(f'<tr><th scope="row">{escape(entry.name)}</th>{"".join(cells)}</tr>')
    about = "Means over seeds, from each run's health at its end. A high rank is needed, and is not enough."
    return _table(about, [text for _, text in columns], body)


def _settings(table: Standing) -> str:
    kept = table.settings
    options = ", ".join(f"{name} = {value}" for name, value in kept["options"].items())
    facts = [
        ("data", kept["data"]),
        ("splits", ", ".join(f"{count:,} {name}" for name, count in kept["splits"].items())),
        ("encoder", kept["encoder"]),
        ("budget", f"{kept['budget']} a run, {table.seeds} seed{'' if table.seeds == 1 else 's'}"),
        ("options", options or "defaults"),
        ("protocols", ", ".join(kept["protocols"])),
    ]
    listed = "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in facts)
    return f'<div class="facts"><dl>{listed}</dl></div>'


def _unit(row: Row) -> int:
    return 100 if metric(row[1]).percent else 1


def _keys(entries: Sequence[tuple[str, str]]) -> str:
    """What the colours mean: name and drawing of each."""
    drawn = (
        f'<span><svg viewBox="0 0 14 16" class="chart">{path}</svg>{escape(name)}</span>'
        for name, path in entries
    )
    return f'<div class="keys">{"".join(drawn)}</div>'


def _table(about: str, heads: Sequence[str], body: Sequence[str]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    return (
        f'<p class="lead">{escape(about)}</p><div class="scroll"><table class="figures">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )
