"""W-MSE against NumPy's own factorisation, one sub-batch and pair at a time."""

import numpy as np
import pytest
import torch

from anyview.errors import InputError
from anyview.objectives.whitening import w_mse, whitened


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def slow(z, groups):
    """Equation 6 with the whitening of equation 3, for a partition of the batch."""
    views, total = [], []
    for view in z.numpy():
        rows = np.zeros_like(view)
        for group in groups:
            x = view[group]
            w = np.linalg.inv(np.linalg.cholesky(np.cov(x.T)))
            rows[group] = (x - x.mean(0)) @ w.T
        views.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    for a in range(len(views)):
        for b in range(a + 1, len(views)):
            total.append(np.square(views[a] - views[b]).sum(1).mean())
    return np.mean(total)


@pytest.mark.parametrize("views", [2, 3])
def test_w_mse_is_the_formula(views):
    z = random(views, 24, 4)
    groups = [np.arange(0, 8), np.arange(8, 16), np.arange(16, 24)]
    assert w_mse(z, 8, 0.0).item() == pytest.approx(slow(z, groups), abs=1e-10)
    assert w_mse(z, 24, 0.0).item() == pytest.approx(slow(z, [np.arange(24)]), abs=1e-10)
    assert w_mse(z, 100, 0.0).item() == pytest.approx(slow(z, [np.arange(24)]), abs=1e-10)
    uneven = [np.arange(0, 12), np.arange(12, 24)]  # 24 in parts of about 10
    assert w_mse(z, 10, 0.0).item() == pytest.approx(slow(z, uneven), abs=1e-10)


def test_whitened_is_white_and_knows_no_scale():
    x = random(2, 50, 6) @ random(6, 6, seed=1) + 3
    w = whitened(x)
    torch.testing.assert_close(w.mean(1), torch.zeros(2, 6, dtype=torch.float64), atol=1e-10, rtol=0)
    cov = w.mT @ w / 49
    torch.testing.assert_close(cov, torch.eye(6, dtype=torch.float64).expand(2, 6, 6), atol=1e-9, rtol=0)
    for eps in (0.0, 1e-3):
        direction = torch.nn.functional.normalize(whitened(1e-3 * x, eps), dim=-1)
        torch.testing.assert_close(direction, torch.nn.functional.normalize(whitened(x, eps), dim=-1))


def test_limits():
    z = random(1, 40, 5).expand(2, 40, 5)
    assert w_mse(z, 40).item() == pytest.approx(0, abs=1e-12)
    assert 1.5 < w_mse(random(2, 400, 5), 400).item() < 2.5  # unrelated views
    shifted = torch.stack([z[0], 7 * z[1] + 2])  # a whitened view knows neither place nor scale
    assert w_mse(shifted, 40, 0.0).item() == pytest.approx(0, abs=1e-12)


def test_a_point_is_no_minimum_and_its_gradient_is_finite():
    z = (
        torch.ones(2, 16, 4) + 1e-3 * torch.randn(2, 16, 4, generator=torch.Generator().manual_seed(0))
    ).requires_grad_()
    loss = w_mse(z, 16)
    loss.backward()
    assert loss > 1
    assert z.grad.isfinite().all()
    same = torch.ones(2, 16, 4, requires_grad=True)
    w_mse(same, 16).backward()
    assert same.grad.isfinite().all()


def test_fewer_samples_than_dimensions_are_kept_finite_by_eps():
    z = torch.randn(2, 6, 20, generator=torch.Generator().manual_seed(0)).requires_grad_()
    w_mse(z, 6).backward()
    assert z.grad.isfinite().all()
    assert z.grad.abs().sum() > 0


def test_gradcheck():
    assert torch.autograd.gradcheck(lambda z: w_mse(z, 8), random(2, 16, 3).requires_grad_())


def test_bad_input():
    for shape in ((1, 8, 3), (2, 1, 3)):
        with pytest.raises(InputError, match="two or more"):
            w_mse(random(*shape))
    with pytest.raises(InputError, match="sub-batch"):
        w_mse(random(2, 8, 3), 1)
    with pytest.raises(InputError, match="eps"):
        w_mse(random(2, 8, 3), 8, 1.0)
