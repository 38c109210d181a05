"""BYOL's regression against its formula, and its stop-gradient."""

import pytest
import torch
from jaxtyping import TypeCheckError

from anyview.errors import InputError
from anyview.objectives.regression import cosine_regression, masked_smooth_l1, negative_cosine


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def double_loop(p, y):
    total = 0.0
    for v in range(len(p)):
        others = [w for w in range(len(p)) if w != v]
        for w in others:
            for b in range(p.shape[1]):
                cosine = p[v, b] @ y[w, b] / (p[v, b].norm() * y[w, b].norm())
                total = total + (2 - 2 * cosine) / len(others) / p.shape[1]
    return total


@pytest.mark.parametrize("views", [2, 3, 5])
def test_is_the_double_loop(views):
    p, y = random(views, 6, 4), random(views, 6, 4, seed=1)
    torch.testing.assert_close(cosine_regression(p, y), double_loop(p, y), rtol=1e-12, atol=1e-12)


def test_two_views_are_the_squared_error_of_unit_vectors_crossed():
    p, y = random(2, 6, 4), random(2, 6, 4, seed=1)
    unit_p, unit_y = p / p.norm(dim=-1, keepdim=True), y / y.norm(dim=-1, keepdim=True)
    expected = ((unit_p[0] - unit_y[1]) ** 2).sum(-1).mean() + ((unit_p[1] - unit_y[0]) ** 2).sum(-1).mean()
    torch.testing.assert_close(cosine_regression(p, y), expected, rtol=1e-12, atol=1e-12)


def test_limits():
    y = random(2, 6, 4)
    assert cosine_regression(3 * y.flip(0), y).item() == pytest.approx(0, abs=1e-12)
    assert cosine_regression(-3 * y.flip(0), y).item() == pytest.approx(8, abs=1e-12)
    assert cosine_regression(y, y).item() > 0.1  # a view is not compared with itself


def test_no_gradient_reaches_the_target():
    p, y = random(2, 6, 4).requires_grad_(), random(2, 6, 4, seed=1).requires_grad_()
    cosine_regression(p, y).backward()
    assert p.grad.norm() > 0
    assert y.grad is None


def test_gradient():
    p, y = random(3, 4, 3).requires_grad_(), random(3, 4, 3, seed=1)
    assert torch.autograd.gradcheck(lambda p: cosine_regression(p, y), p)
    (grad,) = torch.autograd.grad(cosine_regression(p, y), p)
    assert (grad * p).sum(-1).abs().max() < 1e-12


def test_invariances():
    p, y = random(2, 6, 4), random(2, 6, 4, seed=1)
    rotation = torch.linalg.qr(random(4, 4, seed=2))[0]
    order = torch.tensor([3, 1, 0, 5, 4, 2])
    loss = cosine_regression(p, y)
    for other in (
        (p.flip(0), y.flip(0)),
        (p @ rotation, y @ rotation),
        (p[:, order], y[:, order]),
        (5 * p, y),
    ):
        torch.testing.assert_close(cosine_regression(*other), loss, rtol=1e-12, atol=1e-12)


def test_is_a_mean_over_samples():
    p, y = random(2, 6, 4), random(2, 6, 4, seed=1)
    halves = (cosine_regression(p[:, :3], y[:, :3]) + cosine_regression(p[:, 3:], y[:, 3:])) / 2
    torch.testing.assert_close(halves, cosine_regression(p, y), rtol=1e-12, atol=1e-12)


def test_half_precision_and_zeros_stay_finite():
    p, y = random(2, 6, 4).bfloat16().requires_grad_(), random(2, 6, 4, seed=1).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = cosine_regression(p, y)
    assert loss.dtype == torch.float32
    exact = double_loop(p.detach().double(), y.double()).item()
    assert loss.item() == pytest.approx(exact, abs=1e-5)
    zero = torch.zeros(2, 6, 4, requires_grad=True)
    cosine_regression(zero, zero.detach()).backward()
    assert zero.grad.isfinite().all()


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="one view"):
        cosine_regression(random(1, 6, 4), random(1, 6, 4))
    with pytest.raises(TypeCheckError):
        cosine_regression(random(2, 6, 4), random(2, 5, 4))


# ---- data2vec's loss on hidden tokens


def smooth_l1_loops(prediction, target, valid, beta):
    total = 0.0
    for p, t, v in zip(prediction, target, valid):
        errors = []
        for token in range(len(p)):
            if v[token]:
                u = (p[token] - t[token]).abs()
                inside = 0.5 * u**2 / beta if beta else u**2
                errors.append(torch.where((u <= beta) | (beta == 0), inside, u - 0.5 * beta).mean())
        total = total + (sum(errors) / len(errors) if errors else 0.0)
    return total / len(prediction)


@pytest.mark.parametrize("beta", [0.0, 0.5, 2.0])
def test_masked_smooth_l1_is_its_formula(beta):
    p, t = 2 * random(4, 5, 3), 2 * random(4, 5, 3, seed=1)
    valid = torch.arange(5) < torch.tensor([5, 3, 1, 0])[:, None]
    got = masked_smooth_l1(p, t, valid, beta=beta)
    torch.testing.assert_close(got, smooth_l1_loops(p, t, valid, beta), rtol=1e-10, atol=1e-10)


def test_masked_smooth_l1_does_not_read_padding_and_stops_at_the_target():
    p, t = random(2, 4, 3).requires_grad_(), random(2, 4, 3, seed=1).requires_grad_()
    valid = torch.arange(4) < torch.tensor([4, 2])[:, None]
    broken = torch.where(valid[..., None], t, torch.nan)
    torch.testing.assert_close(masked_smooth_l1(p, broken, valid), masked_smooth_l1(p, t, valid))
    masked_smooth_l1(p, t, valid).backward()
    assert t.grad is None
    assert not p.grad[1, 2:].any()


def test_a_large_beta_is_squared_error_scaled():
    p, t, valid = random(2, 4, 3), random(2, 4, 3, seed=1), torch.ones(2, 4, dtype=torch.bool)
    squared = masked_smooth_l1(p, t, valid, beta=0.0)
    torch.testing.assert_close(masked_smooth_l1(p, t, valid, beta=100.0), squared / 200)


def test_beta_below_zero_is_refused():
    with pytest.raises(InputError, match="beta"):
        masked_smooth_l1(random(1, 1, 2), random(1, 1, 2), torch.ones(1, 1, dtype=torch.bool), beta=-1.0)


@pytest.mark.parametrize("views", [2, 3])
def test_simsiam_is_the_mean_cosine_of_pairs_and_byol_up_to_scale(views):
    p, z = random(views, 6, 4), random(views, 6, 4, seed=1)
    cosines = [
        p[v, b] @ z[w, b] / (p[v, b].norm() * z[w, b].norm())
        for v in range(views)
        for w in range(views)
        if w != v
        for b in range(6)
    ]
    expected = -torch.stack(cosines).mean()
    torch.testing.assert_close(negative_cosine(p, z), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(cosine_regression(p, z) / (2 * views) - 1, expected, rtol=1e-12, atol=1e-12)


def test_simsiam_stops_the_gradient_at_the_target_unless_told_not_to():
    p, z = random(2, 6, 4).requires_grad_(), random(2, 6, 4, seed=1).requires_grad_()
    assert torch.autograd.grad(negative_cosine(p, z), (p, z), allow_unused=True)[1] is None
    assert torch.autograd.grad(negative_cosine(p, z, stop_gradient=False), z)[0].abs().sum() > 0
    with pytest.raises(InputError, match="one view"):
        negative_cosine(random(1, 6, 4), random(1, 6, 4))
