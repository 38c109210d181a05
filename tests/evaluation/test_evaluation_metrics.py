"""Statistics against scikit-learn and scipy, ties and limiting cases included; directions and units."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import r2_score, roc_auc_score, root_mean_squared_error

from anyview.evaluation.metrics import metric, r2, ranks, rmse, roc_auc, spearman
from anyview.evaluation.result import RESAMPLES, Figure, Result


def drawn(seed: int, n: int = 60, levels: int = 8) -> torch.Tensor:
    """Numbers with many ties."""
    return torch.randint(levels, (n,), generator=torch.Generator().manual_seed(seed)).float()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("levels", [2, 8, 10_000])
def test_ranks_and_spearman_are_scipys(seed, levels):
    x, y = drawn(seed, levels=levels), drawn(seed + 100, levels=levels)
    np.testing.assert_allclose(ranks(x).numpy(), rankdata(x.numpy()))
    both = ranks(torch.stack([x, y], 1))
    np.testing.assert_allclose(both.numpy(), rankdata(torch.stack([x, y], 1).numpy(), axis=0))
    assert spearman(x, y) == pytest.approx(spearmanr(x.numpy(), y.numpy()).statistic, abs=1e-12)


def test_spearman_of_an_order_and_of_nothing():
    x = torch.arange(20.0)
    assert spearman(x, x.exp()) == pytest.approx(1)
    assert spearman(x, -x) == pytest.approx(-1)
    assert spearman(x, torch.zeros(20)) == 0  # an embedding that is the same for all orders nothing


@pytest.mark.parametrize("seed", range(8))
def test_roc_auc_is_scikit_learns(seed):
    score, label = drawn(seed), drawn(seed + 50, levels=2).bool()
    expected = roc_auc_score(label.numpy(), score.numpy())
    assert roc_auc(score[:, None], label[:, None]) == pytest.approx(expected, abs=1e-12)
    p = torch.rand(60, 4, generator=torch.Generator().manual_seed(seed)).softmax(1)
    classes = drawn(seed, levels=4).long()
    expected = roc_auc_score(
        classes.numpy(), (p / p.sum(1, keepdim=True)).double().numpy(), multi_class="ovr"
    )
    assert roc_auc(p, classes[:, None] == torch.arange(4)) == pytest.approx(expected, abs=1e-6)


def test_roc_auc_leaves_out_classes_without_a_curve():
    score = torch.tensor([[0.1, 5.0], [0.9, 3.0]])
    positive = torch.tensor([[False, False], [True, False]])
    assert roc_auc(score, positive) == 1
    assert math.isnan(roc_auc(score, torch.zeros(2, 2, dtype=torch.bool)))
    assert roc_auc(torch.zeros(9, 1), (torch.arange(9) < 3)[:, None]) == 0.5  # all tied


@pytest.mark.parametrize("seed", range(4))
def test_r2_and_rmse_are_scikit_learns(seed):
    y, guess = drawn(seed, levels=100), drawn(seed + 9, levels=100)
    assert r2(guess, y) == pytest.approx(r2_score(y, guess), rel=1e-6)
    assert rmse(guess, y) == pytest.approx(root_mean_squared_error(y, guess), rel=1e-6)
    assert r2(y.mean().expand(60), y) == pytest.approx(0, abs=1e-6)
    assert math.isnan(r2(guess, torch.ones(60)))


def test_bootstrap_of_any_statistic_is_its_sampling_error():
    x = torch.randn(2000, generator=torch.Generator().manual_seed(0)) * 3
    figure = Figure.resampled(lambda x: float(x.mean()), x)
    assert figure.mean == pytest.approx(float(x.mean()))
    assert figure.std == pytest.approx(3 / 2000**0.5, rel=0.2)
    assert figure.n == RESAMPLES
    odd = Figure.resampled(lambda x: float("nan") if (x == 0).any() else 1.0, torch.arange(1, 4) // 3)
    assert odd.std == 0  # resamples without a value are left out


def test_direction_and_unit_by_metric():
    assert [metric(name).higher for name in ("accuracy", "auc", "r2", "rmse", "spearman", "recall@5")] == [
        True, True, True, False, True, True]  # fmt: skip
    assert not any(metric(name).higher or metric(name).percent for name in ("mse", "mae"))
    assert [metric(n).percent for n in ("accuracy", "recall@1", "auc", "rmse", "median rank")] == [
        True, True, True, False, False]  # fmt: skip


def test_less_error_is_better_everywhere():
    row = Result(
        "regression", "rmse", "test",
        {"pretrained": Figure(0.5, 0.01, 200), "untrained": Figure(0.9, 0.01, 200), "raw": Figure(0.7, 0.01, 200)},
    )  # fmt: skip
    assert row.above("pretrained", "raw")
    assert not row.above("untrained", "raw")
    assert row.baseline == "raw"
    assert row.gain("pretrained", "raw") == pytest.approx(0.2)
    assert row.best(list(row.figures)) == "pretrained"
