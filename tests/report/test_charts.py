"""Plots say what their arrays say: coordinates, ticks, gaps, intervals, escaped words."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from anyview.report.charts import (
    Dot,
    Group,
    Level,
    Line,
    Mark,
    Scale,
    dots,
    line_chart,
    number,
    scatter,
)


def elements(svg: str, name: str, style: str = "") -> list[ET.Element]:
    return [e for e in ET.fromstring(svg).iter(name) if style in e.get("class", "").split() or not style]


def chart(*lines: Line, **options) -> str:
    return line_chart(lines, x_label="time (s)", y_label="loss", about="Loss falls", **options)


def ys(svg: str, style: str = "main") -> np.ndarray:
    path = elements(svg, "path", style)[0].get("d")
    return np.array([float(y) for _, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", path)])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9100.4, "9,100"),
        (2.8123, "2.81"),
        (-3.1, "−3.1"),
        (0.00312, "0.00312"),
        (1e-6, "1e-06"),
        (0.0, "0"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_numbers_for_people(value, text):
    assert number(value) == text


def test_line_follows_its_values():
    values = np.array([4.0, 3.0, 1.0, 2.0])
    drawn = ys(chart(Line(np.arange(4.0), values)))
    # the vertical axis points down: positions are an affine, decreasing function of the values
    slope, offset = np.polyfit(values, drawn, 1)
    assert slope < 0
    np.testing.assert_allclose(slope * values + offset, drawn, atol=0.1)


def test_log_axis_is_linear_in_the_logarithm():
    values = np.array([1.0, 0.1, 0.01, 0.001])
    steps = np.diff(ys(chart(Line(np.arange(4.0), values), log_y=True)))
    np.testing.assert_allclose(steps, steps[0], atol=0.2)


def test_values_that_are_not_finite_interrupt_the_line():
    svg = chart(Line(np.arange(5.0), np.array([1.0, 2.0, np.nan, 2.0, np.inf])))
    assert elements(svg, "path", "main")[0].get("d").count("M") == 2
    assert "nan" not in svg
    assert "inf" not in svg


@pytest.mark.parametrize("values", [[], [3.0], [0.0, 0.0], [5.0, 5.0], [np.nan, np.nan], [1e-9, 1e9]])
@pytest.mark.parametrize("log", [False, True])
def test_odd_curves_still_give_a_plot(values, log):
    y = np.array(values, dtype=float)
    svg = chart(Line(np.arange(len(y), dtype=float), y), log_y=log)
    assert "nan" not in svg
    assert any(e.text == "time (s)" for e in elements(svg, "text"))


def test_a_long_curve_stays_small_and_keeps_its_mean():
    y = np.random.default_rng(0).normal(size=100_000)
    svg = chart(Line(np.arange(100_000.0), y))
    assert len(svg) < 20_000
    assert len(ys(svg)) <= 500


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (57.7, 98.2), (-3.1, -1.2), (0.0, 1e-4), (0, 9_400)])
def test_ticks_are_inside_even_and_readable(low, high):
    ticks = Scale(low, high, 0, 100).ticks(5)
    values = np.array([v for v, _ in ticks])
    assert 2 <= len(ticks) <= 9
    assert values.min() >= low - 1e-9 * abs(high)
    assert values.max() <= high * (1 + 1e-9) + 1e-12
    np.testing.assert_allclose(np.diff(values), values[1] - values[0])
    assert [float(t.replace(",", "").replace("−", "-")) for _, t in ticks] == pytest.approx(values)


def test_marks_stand_at_their_moment_and_do_not_cover_each_other():
    marks = [Mark(4.0, "end of warm-up"), Mark(5.0, "collapsing", warning=True)]
    svg = chart(Line(np.arange(61.0), np.arange(61.0)), marks=marks)
    words = {e.text: float(e.get("y")) for e in elements(svg, "text", "mark")}
    assert set(words) == {"end of warm-up", "collapsing"}
    assert words["end of warm-up"] != words["collapsing"]
    at = [float(re.match(r"M([\d.]+)", e.get("d"))[1]) for e in elements(svg, "path", "mark")]
    first, *_, last = [
        float(x) for x in re.findall(r"[ML]([\d.]+) ", elements(svg, "path", "main")[0].get("d"))
    ]
    np.testing.assert_allclose(at, first + (last - first) * np.array([4, 5]) / 60, atol=0.1)
    assert len(elements(svg, "path", "warn")) == 1


def test_a_mark_outside_the_curve_widens_the_axis():
    svg = chart(Line(np.array([35.0, 80.0]), np.array([2.0, 1.0])), marks=[Mark(4.0, "end of warm-up")])
    at = float(re.match(r"M([\d.-]+)", elements(svg, "path", "mark")[0].get("d"))[1])
    start = float(re.match(r"M([\d.]+)", elements(svg, "path", "axis")[0].get("d"))[1])
    assert at == pytest.approx(start, abs=0.2)


def test_a_level_is_drawn_and_named():
    svg = chart(Line(np.arange(3.0), np.ones(3)), levels=[Level(2.0, "64 at most")])
    assert len(elements(svg, "path", "level")) == 1
    assert any(e.text == "64 at most" for e in elements(svg, "text"))


def test_the_words_of_a_level_stand_where_no_line_passes():
    x, over = np.array([0.0, 1.0, 2.0]), np.array([1.0, 9.0, 5.3])
    where = []
    for y in (over, 10 - over):  # ends a little above the level, or as little below it
        level, words = 5.0, "raw features"
        svg = chart(Line(x, y), Line(x, np.array([0.0, 5.0, 10.0])), levels=[Level(level, words)])
        path, text = elements(svg, "path", "level")[0], elements(svg, "text", "level")[0]
        at = float(path.get("d").split()[1].partition("H")[0])
        where.append(float(text.get("y")) > at)
    assert where == [True, False]


def test_dots_show_value_interval_and_levels_to_scale():
    rows = [Dot("knn", 80.0, 5.0, {"untrained": 60.0, "raw": 70.0}), Dot("linear", 90.0, 0.0, {"raw": 85.0})]
    svg = dots(rows, x_label="accuracy (%)", about="Quality")
    at = [float(e.get("cx")) for e in elements(svg, "circle", "dot")]
    unit = (at[1] - at[0]) / 10
    start, end = map(
        float, re.match(r"M([\d.]+) [\d.]+H([\d.]+)", elements(svg, "path", "interval")[0].get("d")).groups()
    )
    assert (start, end) == pytest.approx((at[0] - 5 * unit, at[0] + 5 * unit), abs=0.2)
    assert len(elements(svg, "path", "interval")) == 1  # none where the spread is unknown
    untrained = float(re.match(r"M([\d.]+)", elements(svg, "path", "r0")[0].get("d"))[1])
    assert untrained == pytest.approx(at[0] - 20 * unit, abs=0.2)
    assert len(elements(svg, "path", "r1")) == 2


def test_scatter_keeps_shape_and_names_every_point():
    points = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    groups = [Group("a", "p0", np.array([0, 2])), Group("b", "p1", np.array([1]))]
    svg = scatter(points, groups, about="Map", words=True)
    at = {
        int(e.get("data-i")): np.array([float(e.get("cx")), float(e.get("cy"))])
        for e in elements(svg, "circle")
    }
    assert set(at) == {0, 1, 2}
    across, up = at[1] - at[0], at[2] - at[0]
    assert across[0] == pytest.approx(-2 * up[1], abs=0.2)  # one scale for both axes, upwards is up
    assert {e.text for e in elements(svg, "text")} == {"a", "b"}


def test_scatter_of_one_place_is_finite():
    svg = scatter(np.zeros((5, 2)), [Group("all", "one", np.arange(5))], about="Collapsed")
    assert "nan" not in svg
    assert len(elements(svg, "circle")) == 5


def test_words_from_outside_are_escaped():
    hostile = '<script>alert("x")</script>'
    svg = scatter(np.eye(2), [Group(hostile, "p0", np.arange(2))], about=hostile, words=True)
    svg += dots([Dot(hostile, 1.0, 0.0, {hostile: 2.0})], x_label=hostile, about=hostile)
    svg += chart(Line(np.arange(2.0), np.arange(2.0)), marks=[Mark(1.0, hostile)], levels=[Level(1, hostile)])
    assert "<script" not in svg
    assert "&lt;script" in svg
