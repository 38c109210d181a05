"""Differences paired over seeds."""

import numpy as np
import pytest
from scipy import stats

from anyview.evaluation.paired import interval, paired

RNG = np.random.default_rng(0)


def test_two_methods_are_compared_as_by_a_paired_t_test() -> None:
    a, b = RNG.normal(0.5, 0.05, (2, 6))
    (found,) = paired({"a": dict(enumerate(a)), "b": dict(enumerate(b))})
    better, worse = (a, b) if a.mean() > b.mean() else (b, a)
    expected = stats.ttest_rel(better, worse)
    span = expected.confidence_interval(0.95)
    assert (found.first, found.second) == (("a", "b") if better is a else ("b", "a"))
    np.testing.assert_allclose([found.mean, found.p], [(better - worse).mean(), expected.pvalue])
    np.testing.assert_allclose([found.low, found.high], [span.low, span.high])


def test_only_seeds_that_both_have_count() -> None:
    (found,) = paired({"a": {0: 0.5, 1: 0.6, 2: 9.0}, "b": {0: 0.4, 1: 0.4, 7: -9.0}})
    assert found.mean == pytest.approx(0.15)
    assert paired({"a": {0: 0.5}, "b": {1: 0.4}}) == []


def test_less_is_better_where_the_metric_says_so() -> None:
    figures = {"a": {0: 1.0, 1: 1.1}, "b": {0: 2.0, 1: 2.3}}
    assert paired(figures, higher=False)[0].first == "a"
    assert paired(figures, higher=True)[0].first == "b"


def test_p_values_are_corrected_for_the_number_of_pairs() -> None:
    """Holm's step-down by hand: times 3, 2 and 1 from the smallest, never falling, at most 1."""
    runs = dict(zip("abc", RNG.normal([[0.50], [0.52], [0.60]], 0.02, (3, 5))))
    single = {
        frozenset((x, y)): stats.ttest_rel(runs[x], runs[y]).pvalue
        for x, y in (("a", "b"), ("a", "c"), ("b", "c"))
    }
    order, so_far, expected = sorted(single, key=lambda pair: single[pair]), 0.0, {}
    for place, pair in enumerate(order):
        so_far = expected[pair] = max(so_far, min(1.0, (3 - place) * single[pair]))
    for found in paired({name: dict(enumerate(values)) for name, values in runs.items()}):
        assert found.p == pytest.approx(expected[frozenset((found.first, found.second))])
        assert found.sure == (found.p < 0.05)


def test_one_seed_and_equal_differences_are_no_grounds_and_full_grounds() -> None:
    (single,) = paired({"a": {0: 0.9}, "b": {0: 0.1}})
    assert not single.sure
    assert (single.low, single.high) == (-np.inf, np.inf)
    (alike,) = paired({"a": {0: 0.5, 1: 0.25}, "b": {0: 0.5, 1: 0.25}})
    assert (alike.mean, alike.p) == (0, 1)
    (steady,) = paired({"a": {0: 0.75, 1: 0.5}, "b": {0: 0.5, 1: 0.25}})
    assert steady.sure


def test_the_interval_holds_the_mean_as_often_as_it_says() -> None:
    hits = [low <= 3.0 <= high for low, high in (interval(RNG.normal(3.0, 1.0, 4)) for _ in range(2000))]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.02)
