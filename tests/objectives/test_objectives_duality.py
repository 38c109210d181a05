"""The family against loops, and its members against the objectives that bear their names."""

import math

import pytest
import torch
import torch.nn.functional as F

from anyview.errors import InputError
from anyview.objectives import pairwise
from anyview.objectives.contrastive import dcl, nt_xent
from anyview.objectives.duality import dual, repulsion
from anyview.objectives.variance import vicreg

KERNELS = ["square", "abs", "exp", "exp_square", "exp_abs"]


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def slow(x, kernel, t, period):
    bend = {"square": lambda s: s**2, "abs": abs, "exp": lambda s: s}[kernel.removeprefix("exp_")]
    n, total = len(x), 0.0
    for i in range(n):
        found = [bend(x[i] @ x[j]) for j in range(n) if (i - j) % period]
        total = total + (
            sum(torch.exp(s / t) for s in found).log() if kernel.startswith("exp") else sum(found)
        )
    return total / n


@pytest.fixture(params=["whole", "blocks"])
def size(request, monkeypatch):
    if request.param == "blocks":
        monkeypatch.setattr(pairwise, "BLOCK", 20)
        monkeypatch.setattr(pairwise, "ROWS", 1)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("period", [None, 4])
@pytest.mark.parametrize("shape", [(2, 8, 3), (2, 8, 12)])
def test_repulsion_is_the_loop(size, kernel, period, shape):
    x = random(*shape).requires_grad_()
    got = repulsion(x, kernel, 0.7, period)
    expected = torch.stack([slow(view, kernel, 0.7, period or 8) for view in x])
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)
    grads = [torch.autograd.grad(v.sum(), x)[0] for v in (got, expected)]
    torch.testing.assert_close(*grads, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("views", [2, 3])
def test_simclr_vicreg_and_dcl_are_members(views):
    z, t = random(views, 9, 6), 0.3
    assert sum(dual(z, "samples", "exp", "cosine", t).values()).item() == pytest.approx(
        nt_xent(z, t).item(), rel=1e-9
    )
    decoupled = sum(dual(z, "samples", "exp", "cosine", t, coupled=False).values()).item()
    assert decoupled == pytest.approx(dcl(z, t).item(), rel=1e-9)
    found, expected = dual(z, "dimensions", "square", "centre"), vicreg(z)
    for name, other in (("invariance", "invariance"), ("variance", "variance"), ("repulsion", "covariance")):
        assert found[name].item() == pytest.approx(expected[other].item(), rel=1e-9)


@pytest.mark.parametrize("normalise", ["cosine", "centre"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_transposed_batch_is_the_other_axis(kernel, normalise):
    z = random(2, 7, 5)
    one, other = (
        dual(x, axis, kernel, normalise, 0.4)
        for x, axis in ((z, "dimensions"), (z.mT.contiguous(), "samples"))
    )
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-10, atol=1e-10)


def test_vicreg_exp_and_ctr_are_their_formulas():
    z, t = random(2, 9, 6), 0.2
    for axis, rows in (("dimensions", z.mT), ("samples", z)):
        total, hinge = 0.0, 0.0
        for view in rows:
            cov = torch.cov(view)
            n = len(cov)
            total += (
                sum(torch.stack([cov[i, j] / t for j in range(n) if j != i]).logsumexp(0) for i in range(n))
                / n
            )
            hinge += (1 - (cov.diagonal() + 1e-4).sqrt()).relu().mean() / 2
        terms = dual(z, axis, "exp", "centre", t)
        assert terms["repulsion"].item() == pytest.approx(total.item(), rel=1e-9)
        assert terms["variance"].item() == pytest.approx(25 * hinge.item(), rel=1e-9)
        assert terms["invariance"].item() == pytest.approx(25 * F.mse_loss(*z).item(), rel=1e-9)


def test_squared_and_absolute_cosines_take_opposites_for_alike():
    z = random(2, 8, 5)
    flipped = z * torch.tensor([1.0, -1.0]).repeat(4)[:, None]
    for kernel, blind in (("exp", False), ("exp_square", True), ("exp_abs", True)):
        change = sum(dual(flipped, kernel=kernel, normalise="cosine").values()) - sum(
            dual(z, kernel=kernel, normalise="cosine").values()
        )
        assert (abs(change) < 1e-10) == blind
    opposite = torch.stack([z[0], -z[0]])
    terms = dual(opposite, kernel="exp_square", normalise="cosine", temperature=0.5)
    assert terms["invariance"].item() == pytest.approx(-2.0, abs=1e-12)


def test_unit_rows_have_no_hinge_and_know_no_scale():
    z = random(2, 8, 5)
    assert "variance" not in dual(z, normalise="cosine")
    for name, value in dual(5 * z, normalise="cosine").items():
        torch.testing.assert_close(value, dual(z, normalise="cosine")[name])


@pytest.mark.parametrize("axis", ["samples", "dimensions"])
@pytest.mark.parametrize("normalise", ["cosine", "centre"])
def test_gradcheck(axis, normalise):
    z = (0.5 * random(2, 5, 4)).requires_grad_()
    for kernel in ("square", "exp"):
        assert torch.autograd.gradcheck(lambda z, k=kernel: sum(dual(z, axis, k, normalise, 0.5).values()), z)


def test_equal_rows():
    z = torch.ones(2, 6, 4, dtype=torch.float64)
    terms = dual(z, normalise="cosine", temperature=0.5)
    assert terms["repulsion"].item() == pytest.approx(2 + math.log(11), abs=1e-12)


def test_bad_input():
    with pytest.raises(InputError, match="two views"):
        dual(random(1, 6, 4))
    with pytest.raises(InputError, match="two views"):
        dual(random(2, 6, 1))
    with pytest.raises(InputError, match="temperature must be above"):
        dual(random(2, 6, 4), temperature=0.0)
    with pytest.raises(InputError, match="compares rows"):
        repulsion(random(2, 1, 4))
