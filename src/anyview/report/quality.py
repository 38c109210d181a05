"""Section of the report: every figure beside what it must beat, drawn and as a table."""

from collections.abc import Sequence
from html import escape

from anyview.evaluation.result import Result
from anyview.report.charts import Dot, dots
from anyview.report.parts import figure, missing
from anyview.report.record import Record
from anyview.report.tables import best, caption, columns, figures, interval, note


def quality(record: Record, command: str) -> str:
    """Plot and table; rows that were lost stay in. ``command`` is what to run when nothing was judged yet."""
    if not record.evaluation:
        return missing("Not judged yet. With labels at hand:") + f"<pre>{escape(command)}</pre>"
    raw = str(record.data.get("raw_name") or "raw features")
    heads = columns(record.evaluation, raw, str(record.option("method.name", "method") or "pretrained"))
    plots = [
        _plot([r for r in record.evaluation if r.metric == metric and "pretrained" in r.figures], raw)
        for metric in dict.fromkeys(r.metric for r in record.evaluation)
    ]
    return f'<div class="grid2 judged">{"".join(plots)}{_table(record.evaluation, heads, raw)}</div>'


def _plot(rows: Sequence[Result], raw: str) -> str:
    if not rows:
        return ""
    levels = {"untrained": "same encoder, untrained", "raw": raw, "supervised": "trained with all labels"}
    measure = rows[0].measure
    unit = 100 if measure.percent else 1
    drawn = [
        Dot(
            r.title,
            unit * r.figures["pretrained"].mean,
            unit * r.figures["pretrained"].std,
            {text: unit * r.figures[name].mean for name, text in levels.items() if name in r.figures},
        )
        for r in rows
    ]
    compared = [(r, r.baseline) for r in rows if r.baseline]
    won = sum(r.above("pretrained", baseline) for r, baseline in compared if baseline)
    title = "Pretraining, judged"
    if compared:
        title = f"Clearly above {raw} and the untrained encoder in {won} of {len(compared)} rows"
    names = list(dict.fromkeys(name for d in drawn for name in d.levels))
    dot = '<svg viewBox="0 0 14 16" class="chart"><circle class="dot" cx="7" cy="8" r="5"/></svg>'
    keys = [f"<span>{dot}pretrained</span>"]
    for i, name in enumerate(names):
        line = f'<svg viewBox="0 0 14 16"><path class="r{i}" d="M7 0v16"/></svg>'
        keys.append(f"<span>{line}{escape(name)}</span>")
    remark = " (%)" if measure.percent else "" if measure.higher else " (less is better)"
    chart = dots(drawn, x_label=f"{measure.title} on {rows[0].split}{remark}", about=title)
    about = "Clearly: by more than twice the standard error of the difference."
    return figure(title, about, f'<div class="keys">{"".join(keys)}</div>{chart}')


def _table(results: Sequence[Result], heads: dict[str, str], raw: str) -> str:
    body = []
    for r in results:
        winner, lost = best(r), note(r, raw).removeprefix("← ")
        cells = []
        for name in heads:
            value, spread = figures(r, name)
            value = f"<b>{value}</b>" if name == winner else value
            ends = interval(r, name) if name == "pretrained" else ""
            told = f"<small>95 %: {ends}</small>" if ends else ""
            cells.append(f'<td>{value}<span class="pm">{spread and f"± {spread}"}</span>{told}</td>')
        remark = f"<small>{escape(lost)}</small>" if lost else ""
        body.append(f'<tr><th scope="row">{escape(r.title)}{remark}</th>{"".join(cells)}</tr>')
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads.values())
    about = f"{caption(results)}. Bold: clearly the best of its row."
    table = f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
    return figure(
        "The same as figures",
        about[0].upper() + about[1:],
        f'<div class="scroll"><table class="figures">{table}</table></div>',
    )
