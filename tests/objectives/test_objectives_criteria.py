"""Criteria by name: which figure is the better one, on embeddings of which it is known."""

import math

import pytest
import torch

from anyview.objectives.criteria import CRITERIA


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def views(spectrum, noise, count):
    """``(views, samples, dim)`` of samples whose directions have these scales, and views that differ by ``noise``."""
    return random(300, len(spectrum)) * spectrum + noise * random(count, 300, len(spectrum), seed=1)


@pytest.mark.parametrize("name", CRITERIA)
def test_a_spread_embedding_whose_views_agree_is_better_than_a_line_of_noise(name):
    criterion = CRITERIA[name]
    # variances that fall as 1 / i, at which alpha-ReQ is 1
    good, bad = views(torch.arange(1, 33) ** -0.5, 0.01, 10), views(0.01 ** torch.arange(32.0), 0.3, 10)
    if criterion.views == 1:
        good, bad = good[0], bad[0] * 0.01 ** torch.arange(32.0)
        bad = bad.abs() if name == "uniformity" else bad
    better, worse = criterion(good), criterion(bad)
    assert math.isfinite(better)
    assert math.isnan(worse) or criterion.merit(better) > criterion.merit(worse)
    assert isinstance(better, float)


def test_merit():
    assert CRITERIA["rankme"].merit(3.0) > CRITERIA["rankme"].merit(2.0)
    assert CRITERIA["alignment"].merit(0.1) > CRITERIA["alignment"].merit(0.2)
    near = CRITERIA["alpha-req"].merit
    assert near(1.1) > near(0.5) == near(1.5)


@pytest.mark.parametrize("name", CRITERIA)
def test_criteria_carry_no_gradient(name):
    criterion = CRITERIA[name]
    shape = (300, 8) if criterion.views == 1 else (2, 300, 8)
    assert not criterion.measure(random(*shape).requires_grad_()).requires_grad
