"""Section of the report: loss and health against time."""

from html import escape
from typing import Any

import numpy as np

from anyview.report.charts import Level, Line, Mark, line_chart, number
from anyview.report.parts import figure, missing, unit
from anyview.report.record import Record


def _time_axis(record: Record) -> tuple[np.ndarray, str]:
    """Time of every row in the unit that suits the run; steps when no time was kept."""
    seconds = record.column("seconds")
    if not np.isfinite(seconds).any():
        return record.column("step"), "step"
    longest = np.nanmax(seconds)
    if longest <= 180:
        return seconds, "time (s)"
    return (seconds / 60, "time (min)") if longest <= 3 * 3600 else (seconds / 3600, "time (h)")


def _moments(record: Record, time: np.ndarray) -> list[Mark]:
    """End of the warm-up, read from the learning rate, and what health had to say."""
    marks = []
    lr = record.column("lr")
    known = np.flatnonzero(np.isfinite(lr) & np.isfinite(time))
    if len(known):
        peak = known[np.argmax(lr[known] >= 0.995 * lr[known].max())]
        if lr[known[0]] < 0.9 * lr[peak]:
            marks.append(Mark(float(time[peak]), "end of warm-up"))
    step = record.column("step")
    known = np.flatnonzero(np.isfinite(step) & np.isfinite(time))
    for event in events(record):
        if len(known) and isinstance(event.get("step"), int | float):
            at = float(np.interp(event["step"], step[known], time[known]))
            word = str(event["text"]).split(":")[0].split(" since step")[0]
            marks.append(Mark(at, word[:30], warning=not word.startswith("recovered")))
    return marks


def events(record: Record) -> list[dict[str, Any]]:
    listed = record.health.get("events")
    return [e for e in listed if isinstance(e, dict) and "text" in e] if isinstance(listed, list) else []


def training(record: Record) -> str:
    """Loss and effective rank with the moments that matter, then the smaller gauges."""
    time, x_label = _time_axis(record)
    loss = record.column("loss")
    if not np.isfinite(loss).any():
        return missing("No curve was kept (metrics.csv).")
    span = {"x_label": x_label, "x_range": (0.0, float(np.nanmax(time)))}  # one time for all curves
    big = {**span, "marks": _moments(record, time)}
    parts = ['<div class="grid2">', _loss(time, loss, big), _rank(record, time, big)]
    parts += ["</div>", '<div class="grid3">', *_gauges(record, time, span), "</div>"]
    if told := events(record):
        listed = "".join(
            f'<li class="{"" if str(e["text"]).startswith("recovered") else "warn"}">'
            f"step {escape(number(float(e['step'])) if isinstance(e.get('step'), int | float) else '?')}: "
            f"{escape(str(e['text']))}</li>"
            for e in told
        )
        parts.append(f'<ul class="events">{listed}</ul>')
    return "".join(parts)


def _known(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    keep = np.isfinite(x) & np.isfinite(y)
    return x[keep], y[keep]


def _smooth(y: np.ndarray) -> np.ndarray:
    """Mean over a window of a thirtieth of the curve; narrower at the start, where curves are steep."""
    half = len(y) // 60
    sums = np.concatenate([[0.0], np.cumsum(y)])
    i = np.arange(len(y))
    first, last = i - np.minimum(i, half), np.minimum(i + np.minimum(i, half), len(y) - 1)
    return (sums[last + 1] - sums[first]) / (last + 1 - first)


def _loss(time: np.ndarray, loss: np.ndarray, axis: dict[str, Any]) -> str:
    x, y = _known(time, loss)
    mean = _smooth(y)
    low, high = min(mean.min(), np.percentile(y, 0.5)), max(mean.max(), np.percentile(y, 99.5))
    air = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    first, last = number(mean[0]), number(mean[-1])
    way = "fell" if mean[-1] < mean[0] else "rose"
    title = f"The loss stayed at {last}" if first == last else f"The loss {way} from {first} to {last}"
    drawing = line_chart(
        [Line(x, y, style="faint"), Line(x, mean)],
        y_label="loss",
        about=title,
        y_range=(float(low - air), float(high + air)),
        **axis,
    )
    return figure(title, "Every logged step, and its moving mean.", drawing)


def _rank(record: Record, time: np.ndarray, axis: dict[str, Any]) -> str:
    x, y = _known(time, record.column("rank"))
    if not len(y):
        return missing("Effective rank was not watched in this run.")
    of = record.last("rank_of")
    few = bool(of > 0 and y.max() < 0.1 * of)  # on a linear axis such a curve would lie on the floor
    title = f"Effective rank ends at {number(y[-1], 2)}" + (f" of {number(of)}" if of > 0 else "")
    drawing = line_chart(
        [Line(x, y)],
        y_label="effective rank (dimensions)",
        about=title,
        levels=[Level(of, f"{number(of)} at most")] if of > 0 else [],
        log_y=few,
        y_range=None if not of > 0 else (min(1.0, y.min()), of * 1.3) if few else (0.0, of * 1.04),
        **axis,
    )
    return figure(title, "Directions in use on held samples; one is collapse.", drawing)


def _gauges(record: Record, time: np.ndarray, axis: dict[str, Any]) -> list[str]:
    """Small plots that begin at zero, so that noise around a level does not look like a trend."""
    speed = "samples_per_s" if "samples_per_s" in record.metrics else "images_per_s"
    wait = record.column("wait")
    waited = (
        f"{100 * np.nanmean(wait):.0f} % of the time went into waiting for data."
        if np.isfinite(wait).any()
        else ""
    )
    kinds = [  # column, axis, message, what it means
        ("std", "deviation", "Deviation {} of 1", "At unit length: 1 fills the sphere, 0 is one point."),
        ("alignment", "squared distance", "Two views lie {} apart", "At unit length: 2 is unrelated."),
        ("uniformity", "log potential", "Uniformity {}", "Lower is spread more evenly; 0 is one point."),
        (
            "alpha",
            "exponent",
            "Spectrum falls with exponent {}",
            "alpha-ReQ: about 1 goes with good probes.",
        ),
        (speed, f"{unit(record)} per second", f"{{}} {unit(record)}/s at the end", waited),
        ("grad_norm", "norm", "Gradient norm ends at {}", "Over all weights, before clipping."),
    ]
    terms = [name for name in record.metrics if name.startswith("loss_")]
    kinds += [(name, "loss", f"Term “{name[5:]}” ends at {{}}", "A part of the loss.") for name in terms]
    drawn = []
    for name, y_label, title, about in kinds:
        x, y = _known(time, record.column(name))
        if len(y):
            mean = _smooth(y)
            said = title.format(number(mean[-1]))
            lines = [Line(x, y, style="faint"), Line(x, mean)] if len(y) >= 60 else [Line(x, y)]
            low, high = min(0.0, float(y.min()) * 1.05), max(0.0, float(y.max()) * 1.05)
            limits = (low, high) if low < high else None
            chart = line_chart(
                lines, y_label=y_label, about=said, y_range=limits, width=330, height=190, **axis
            )
            drawn.append(figure(said, about, chart))
    return drawn
