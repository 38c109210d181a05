"""Plots as SVG text: small functions of arrays, with no library behind them.

Each returns one ``<svg>`` that scales with the page. Colours and type come from classes in the
page's style sheet, so that one drawing serves light, dark and paper. A unit is about a pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from jaxtyping import Float, Int

CHAR = 6.6  # mean width of a character at the style sheet's 12 units
Real = int | float
MOST_POINTS = 500  # a line of more points is averaged in bins: nobody sees more, and the page stays small


@dataclass(frozen=True)
class Line:
    """One curve; points that are not finite interrupt it. ``style``: main, faint for what lies behind, or s0 ... s9
    to tell several apart."""

    x: Float[np.ndarray, " points"]
    y: Float[np.ndarray, " points"]
    style: str = "main"


@dataclass(frozen=True)
class Mark:
    """A moment on the horizontal axis: a vertical line with a word, in the warning colour if it is one."""

    x: Real
    text: str
    warning: bool = False


@dataclass(frozen=True)
class Level:
    """A reference value: a thin horizontal line with a word."""

    y: Real
    text: str


@dataclass(frozen=True)
class Dot:
    """One row of ``dots``: the figure, half the width of its interval (0: unknown), and what it must beat."""

    label: str
    value: Real
    spread: Real
    levels: dict[str, Real]


@dataclass(frozen=True)
class Group:
    """Points of one colour in ``scatter``; ``style`` is a class of the style sheet, such as p0 ... p9."""

    name: str
    style: str
    members: Int[np.ndarray, " members"]


def number(value: Real, digits: int = 3) -> str:
    """A figure for people: ``9,100``, ``2.81``, ``0.0031``, ``1e-06``; a dash when it is not finite.

    >>> number(9100.4), number(2.8123), number(0.00312), number(1e-6), number(64.0)
    ('9,100', '2.81', '0.00312', '1e-06', '64')
    """
    if not np.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 10 ** (digits - 1):
        text = f"{value:,.0f}"
    elif size >= 1e-3 or size == 0:
        text = f"{value:.{digits}g}"
    else:
        text = f"{value:.2g}"
    return text.replace("-", "−", 1) if text.startswith("-") else text


@dataclass(frozen=True)
class Scale:
    """Maps values from ``low`` to ``high`` to units from ``start`` to ``end``, on a log axis if asked."""

    low: Real
    high: Real
    start: Real
    end: Real
    log: bool = False

    def __call__(self, value: Real | np.ndarray) -> Any:  # a float for a float, an array for an array
        f = np.log10 if self.log else np.asarray
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (f(value) - f(self.low)) / (f(self.high) - f(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self, about: int) -> list[tuple[float, str]]:
        """Round values inside the range, about so many, each with its text."""
        return _log_ticks(self.low, self.high, about) if self.log else _ticks(self.low, self.high, about)


def _ticks(low: Real, high: Real, about: int) -> list[tuple[float, str]]:
    raw = (high - low) / max(about, 1)
    power = 10.0 ** np.floor(np.log10(raw))
    step = float(next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999))
    values = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
    exponent = int(np.floor(np.log10(step)))
    decimals = max(0, -exponent + (round(step / 10.0**exponent, 3) == 2.5))
    if decimals > 5:
        return [(float(v), number(float(v))) for v in values]
    return [(float(v), f"{v + 0.0:,.{decimals}f}".replace("-", "−")) for v in values]


def _log_ticks(low: Real, high: Real, about: int) -> list[tuple[float, str]]:
    first, last = int(np.ceil(np.log10(low) - 1e-9)), int(np.floor(np.log10(high) + 1e-9))
    every = max(1, int(np.ceil((last - first + 1) / (about + 1))))
    values = [10.0**p for p in range(first, last + 1, every)]
    if last - first < 2:  # about a decade: decades alone would leave the axis bare
        values = [m * 10.0**p for p in range(first - 1, last + 1) for m in (1, 2, 5)]
    return [(v, number(v)) for v in values if low * 0.999 <= v <= high * 1.001]


def _range(values: np.ndarray, log: bool, pad: float = 0.06) -> tuple[float, float]:
    """Lowest and highest of the usable values with a little air; something sensible when there are none."""
    usable = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not len(usable):
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = float(usable.min()), float(usable.max())
    if log:
        air = (high / low) ** pad if high > low else 2.0
        return low / air, high * air
    air = (high - low) * pad if high > low else abs(high) * 0.1 or 1.0
    return low - air, high + air


def _thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(x) <= MOST_POINTS:
        return x, y
    bins = np.array_split(np.arange(len(x)), MOST_POINTS)
    return np.array([x[b].mean() for b in bins]), np.array([y[b].mean() for b in bins])


def _path(x: np.ndarray, y: np.ndarray) -> str:
    parts, pen = [], "M"
    for u, v in zip(x, y):
        if np.isfinite(u) and np.isfinite(v):
            parts.append(f"{pen}{u:.1f} {v:.1f}")
            pen = "L"
        else:
            pen = "M"
    if len(parts) == 1:  # a line of one point would not be seen
        parts.append("h0.01")
    return "".join(parts)


def _text(x: Real, y: Real, text: str, style: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: Real, height: Real, about: str, body: Sequence[str], style: str = "") -> str:
    label = escape(about, quote=True)
    return (
        f'<svg class="chart {style}" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{label}">'
        f"{''.join(body)}</svg>"
    )


def _moments(marks: Sequence[Mark], sx: Scale, top: Real, bottom: Real) -> tuple[list[str], int]:
    """Vertical lines; their words stand in rows above the plot so that none covers another."""
    drawn: list[str] = []
    ends: list[float] = []  # right end of the last word in each row
    for mark in sorted(marks, key=lambda m: m.x):
        at, width = float(sx(mark.x)), len(mark.text) * CHAR
        style = "mark warn" if mark.warning else "mark"
        left = at - width / 2
        left = min(max(left, sx.start), sx.end - width)
        row = next((r for r, end in enumerate(ends) if end + 8 < left), len(ends))
        if row < 3:  # a fourth row would push the plot away: the line stays, the list below has the words
            ends[row : row + 1] = [left + width]
            drawn.append(_text(left, top - 7 - 15 * row, mark.text, f"{style} word"))
        drawn.append(f'<path class="{style}" d="M{at:.1f} {top:.1f}V{bottom:.1f}"/>')
    return drawn, len(ends)


def line_chart(
    lines: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    about: str,
    marks: Sequence[Mark] = (),
    levels: Sequence[Level] = (),
    log_x: bool = False,
    log_y: bool = False,
    x_range: tuple[Real, Real] | None = None,
    y_range: tuple[Real, Real] | None = None,
    width: int = 480,
    height: int = 270,
) -> str:
    """Curves over one axis, with moments and levels as thin lines.

    Args:
        x_label, y_label: names with their units.
        about: what the plot shows, in a sentence, for those who cannot see it.
        x_range, y_range: limits of the axes; when not given, all that is drawn fits.
    """
    lines = [Line(*_thin(line.x, line.y), line.style) for line in lines]
    all_x = np.concatenate([*(line.x for line in lines), np.array([mark.x for mark in marks])])
    all_y = np.concatenate([*(line.y for line in lines), np.array([level.y for level in levels])])
    low, high = y_range or _range(all_y, log_y)
    x_low, x_high = x_range or _range(all_x, log_x, pad=0.0)
    rows = _moments(marks, Scale(x_low, x_high, 50, width - 10, log_x), 0, 0)[1]
    top, bottom = 26 + 15 * min(rows, 3), height - 40
    sy = Scale(low, high, bottom, top, log_y)
    y_ticks = sy.ticks(5)
    left = max([len(text) for _, text in y_ticks] + [2]) * CHAR + 14
    sx = Scale(x_low, x_high, left, width - 12, log_x)

    body = [_text(2, 12, y_label, "name")]
    for value, text in y_ticks:
        y = float(sy(value))
        body.append(f'<path class="grid" d="M{left:.1f} {y:.1f}H{width - 12}"/>')
        body.append(_text(left - 7, y + 4, text, "tick", "end"))
    for value, text in sx.ticks(max(3, (width - 40) // 90)):
        body.append(_text(float(sx(value)), bottom + 17, text, "tick", "middle"))
    body.append(f'<path class="axis" d="M{left:.1f} {bottom}H{width - 12}"/>')
    body.append(_text(width - 12, bottom + 34, x_label, "name", "end"))
    # an outlier may leave the plot, not the page
    drawn = [(sx(line.x), np.clip(sy(line.y), top - 2, bottom + 2)) for line in lines]
    words = []
    for level in levels:
        y = float(sy(level.y))
        body.append(f'<path class="level" d="M{left:.1f} {y:.1f}H{width - 12}"/>')
        beside = _beside(y, top, width - 14, CHAR * len(level.text), drawn)
        words.append(_text(width - 14, beside, level.text, "level word", "end"))
    body += _moments(marks, sx, top, bottom)[0]
    body += [f'<path class="line {line.style}" d="{_path(*at)}"/>' for line, at in zip(lines, drawn)]
    body += words  # last, so that no line crosses them
    return _svg(width, height, about, body, "small" if width < 440 else "")


def _beside(
    y: Real, top: Real, end: Real, width: Real, drawn: Sequence[tuple[np.ndarray, np.ndarray]]
) -> float:
    """Where words that name the level at ``y`` stand: above it, or below it where that is the edge of the plot or
    more of what is drawn passes there."""
    across = np.linspace(end - width, end, 9)
    crossed = [
        sum(
            bool(((y + low < at) & (at < y + high)).any())
            for at in (np.interp(across, *p) for p in drawn if len(p[0]))
        )
        for low, high in ((-17, 0), (0, 17))
    ]
    return y + 14 if y - top <= 16 or crossed[1] < crossed[0] else y - 5


def dots(rows: Sequence[Dot], *, x_label: str, about: str, width: int = 480) -> str:
    """A row for each figure: a dot with its interval, and across it thin lines at the levels to beat."""
    reach = [r.value + sign * r.spread for r in rows for sign in (-1, 1)]
    low, high = _range(np.array(reach + [v for r in rows for v in r.levels.values()]), False, pad=0.05)
    names = list(dict.fromkeys(name for r in rows for name in r.levels))
    left = min(max(len(r.label) for r in rows), 26) * 7.3 + 12
    sx = Scale(low, high, left, width - 14)
    top, step = 4, 40
    bottom = top + step * len(rows)
    body = []
    for value, text in sx.ticks(5):
        x = float(sx(value))
        body.append(f'<path class="grid" d="M{x:.1f} {top}V{bottom}"/>')
        body.append(_text(x, bottom + 17, text, "tick", "middle"))
    body.append(_text(width - 14, bottom + 35, x_label, "name", "end"))
    for i, row in enumerate(rows):
        y, at = top + step * (i + 0.5), float(sx(row.value))
        body.append(_text(left - 10, y + 4, row.label, "label", "end"))
        body.append(f'<path class="rule" d="M{left:.1f} {y:.1f}H{width - 14}"/>')
        for name, value in row.levels.items():
            body.append(f'<path class="r{names.index(name)}" d="M{float(sx(value)):.1f} {y - 11:.1f}v22"/>')
        if row.spread:
            ends = sx(np.array([row.value - row.spread, row.value + row.spread]))
            body.append(f'<path class="interval" d="M{ends[0]:.1f} {y:.1f}H{ends[1]:.1f}"/>')
        body.append(f'<circle class="dot" cx="{at:.1f}" cy="{y:.1f}" r="5"/>')
    return _svg(width, bottom + 42, about, body)


def scatter(
    points: Float[np.ndarray, "n 2"],
    groups: Sequence[Group],
    *,
    about: str,
    words: bool = False,
    size: int = 640,
) -> str:
    """A map: points in groups, each circle with its row as ``data-i`` for the page's script.

    Args:
        words: write each group's name at its middle where it covers no other name.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    unit = (size - 32) / max(float((high - low).max()), 1e-12)
    xy = (points - (low + high) / 2) * unit
    middle = np.maximum(np.abs(xy).max(axis=0), size / 4) + 16  # never a sliver
    xy = np.column_stack([xy[:, 0] + middle[0], middle[1] - xy[:, 1]])
    radius = 3.6 if len(points) > 400 else 5.0
    body, named = [], []
    taken: list[tuple[float, float, float]] = []  # middle and half the width of names that stand
    for i, group in enumerate(groups):
        circles = "".join(
            f'<circle cx="{xy[m, 0]:.1f}" cy="{xy[m, 1]:.1f}" r="{radius}" data-i="{m}"/>'
            for m in group.members
        )
        body.append(f'<g class="{group.style}" data-group="{i}">{circles}</g>')
        if words and len(group.members):
            x, y = map(float, np.median(xy[group.members], axis=0))
            half = len(group.name) * 4.5 + 4
            x = float(np.clip(x, half, 2 * middle[0] - half))
            if all(abs(x - u) > half + w or abs(y - v) > 18 for u, v, w in taken):
                taken.append((x, y, half))
                named.append(f'<g data-group="{i}">{_text(x, y + 5, group.name, "place", "middle")}</g>')
    return _svg(float(2 * middle[0]), float(2 * middle[1]), about, body + named, "map")
