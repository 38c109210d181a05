"""Did it learn anything? The answer in a sentence or two, whatever it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from anyview.errors import InputError
from anyview.evaluation.result import Result

BASELINES = ("raw", "untrained")


def learned(results: Sequence[Result]) -> bool:
    """Whether pretraining helped.

    It did when the pretrained encoder is clearly above (:meth:`Result.above`) both raw features and the
    untrained encoder on at least one protocol, and clearly below either of them on fewer protocols than that.

    Raises:
        InputError: no protocol has figures for the pretrained encoder and for a baseline.
    """
    judged = _judged(results)
    lost = [r for r in judged if any(r.above(name, "pretrained") for name in _baselines(r))]
    return len(_won(judged)) > len(lost)


def verdict(
    results: Sequence[Result], health: Mapping[str, Any] | None = None, *, raw_name: str = "raw pixels"
) -> str:
    """A few sentences: whether it learned, by how much and where, where it loses, and its health.

    Args:
        health: content of the run's ``health.json``; its ``verdict`` is the last sentence.

    Raises:
        InputError: as :func:`learned`.
    """
    judged = _judged(results)
    names = {"raw": raw_name, "untrained": "the untrained encoder"}
    standing = {name: _against(judged, name) for name in BASELINES if any(name in r.figures for r in judged)}
    if learned(judged):
        best = max(_won(judged), key=lambda r: _size(r, str(r.baseline)))
        rival = str(best.baseline)
        text = f"it learned: {_points(best, rival)} over {names[rival]} {best.place}."
        for name, row in standing.items():
            if row is not None and _gain(row, name) < 0:
                text += f" But {_points(row, name)} against {names[name]} {row.place}."
    else:
        untrained = standing.get("untrained")
        above_untrained = untrained is not None and _gain(untrained, "untrained") > 0
        parts = []
        for name, row in standing.items():
            if row is None:
                parts.append(f"no clear difference from {names[name]}")
            else:
                relation = "over" if _gain(row, name) > 0 else "against"
                parts.append(f"{_points(row, name)} {relation} {names[name]} {row.place}")
        text = f"it did not learn{' enough' if above_untrained else ''}: {'; '.join(parts)}."
    return f"{text} {health['verdict']}" if health and health.get("verdict") else text


def _against(judged: Sequence[Result], name: str) -> Result | None:
    """The row that tells most against a baseline: the worst clear loss, else the best clear win."""
    known = [r for r in judged if name in r.figures]
    losses = [r for r in known if r.above(name, "pretrained")]
    wins = [r for r in known if r.above("pretrained", name)]
    return max(losses or wins, key=lambda r: _size(r, name), default=None)


def _judged(results: Sequence[Result]) -> list[Result]:
    judged = [r for r in results if "pretrained" in r.figures and r.baseline]
    if not judged:
        raise InputError(
            "a verdict needs figures for the pretrained encoder and for raw features or an untrained one."
        )
    return judged


def _won(judged: Sequence[Result]) -> list[Result]:
    return [r for r in judged if all(r.above("pretrained", name) for name in _baselines(r))]


def _baselines(result: Result) -> list[str]:
    return [name for name in BASELINES if name in result.figures]


def _gain(result: Result, name: str) -> float:
    return result.gain("pretrained", name)


def _size(result: Result, name: str) -> tuple[bool, float]:
    """How much a difference says: shares can be compared with each other, and go before other units."""
    return result.measure.percent, abs(_gain(result, name))


def _points(result: Result, name: str) -> str:
    """A difference in words: in points where figures are shares, else in the metric's own unit."""
    if not result.measure.percent:
        better = "better" if _gain(result, name) > 0 else "worse"
        return f"{result.measure.title} {better} by {abs(_gain(result, name)):.2g}"
    gain = 100 * _gain(result, name)
    return f"{gain:+.0f} points" if abs(gain) >= 9.5 else f"{gain:+.1f} points"
