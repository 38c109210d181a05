"""Targets over bins against SciPy's densities, the divergence against loops, and DUET's loss."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm, vonmises

from anyview.errors import InputError
from anyview.objectives.bins import binned, duet, jensen_shannon
from anyview.objectives.contrastive import nt_xent

GRID = torch.linspace(0, 1, 41, dtype=torch.float64)


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("cyclic", [False, True])
@pytest.mark.parametrize("g", [0.0, 0.31, 0.5, 0.97])
def test_targets_are_integrals_of_their_densities(cyclic, g):
    def density(u):
        return vonmises.pdf(2 * math.pi * (u - g), 3.0) if cyclic else norm.pdf(u, g, 0.2)

    mass = np.array([quad(density, k / 8, (k + 1) / 8)[0] for k in range(8)])
    found = binned(torch.tensor([g], dtype=torch.float64), 8, cyclic=cyclic)[0].exp()
    np.testing.assert_allclose(found.numpy(), mass / mass.sum(), rtol=1e-3)


@pytest.mark.parametrize("cyclic", [False, True])
@pytest.mark.parametrize("bins", [1, 3, 8])
def test_targets_sum_to_one_and_are_largest_where_the_parameter_lies(cyclic, bins):
    target = binned(GRID, bins, cyclic=cyclic).exp()
    torch.testing.assert_close(target.sum(1), torch.ones(41, dtype=torch.float64))
    for g, row in zip(GRID.tolist(), target):
        k = min(int(g * bins), bins - 1)
        assert row[k] >= row.max() - 1e-9  # on a border two are equally large


def test_zero_and_one_are_the_same_only_on_a_circle():
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    around = binned(ends, 8, cyclic=True)
    torch.testing.assert_close(around[0], around[1])
    along = binned(ends, 8)
    torch.testing.assert_close(along[0], along[1].flip(0))
    assert (along[0] - along[1]).abs().max() > 1


def test_a_narrow_target_has_no_zero_to_take_a_logarithm_of():
    target = binned(torch.tensor([0.01]), 8, spread=0.001)
    assert target.isfinite().all()
    logits = torch.zeros(1, 8, requires_grad=True)
    jensen_shannon(logits.log_softmax(-1), target).sum().backward()
    assert logits.grad.isfinite().all()


def test_jensen_shannon_is_its_sum_and_bounded():
    p, q = random(5, 6).softmax(-1), random(5, 6, seed=1).softmax(-1)
    m = (p + q) / 2
    expected = 0.5 * (p * (p / m).log()).sum(-1) + 0.5 * (q * (q / m).log()).sum(-1)
    torch.testing.assert_close(jensen_shannon(p.log(), q.log()), expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(jensen_shannon(q.log(), p.log()), expected, rtol=1e-10, atol=1e-12)
    assert jensen_shannon(p.log(), p.log()).abs().max() < 1e-12
    apart = torch.tensor([[0.0, -800.0], [-800.0, 0.0]], dtype=torch.float64)
    assert jensen_shannon(apart[0], apart[1]).item() == pytest.approx(math.log(2), abs=1e-9)


@pytest.mark.parametrize("cyclic", [False, True])
def test_duet_is_the_formula(cyclic):
    z, marginal = random(2, 6, 5), random(2, 6, 4, seed=1)
    parameter = torch.rand(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    p, aim = marginal.softmax(-1), binned(parameter, 4, cyclic=cyclic).exp()
    group = [float(jensen_shannon(p[v, b].log(), aim[v, b].log())) for v in range(2) for b in range(6)]
    terms = duet(z, marginal, parameter, cyclic=cyclic, temperature=0.3, weight=5.0)
    assert terms["group"].item() == pytest.approx(5 * np.mean(group), rel=1e-10)
    assert terms["content"].item() == pytest.approx(nt_xent(z, 0.3).item(), rel=1e-12)
    perfect = duet(z, binned(parameter, 4, cyclic=cyclic) + 3, parameter, cyclic=cyclic)
    assert perfect["group"].item() == pytest.approx(0, abs=1e-12)


def test_gradients_reach_the_marginal_and_not_the_parameter():
    parameter = torch.rand(2, 5, dtype=torch.float64)
    z, marginal = random(2, 5, 3).requires_grad_(), random(2, 5, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z, m: sum(duet(z, m, parameter, temperature=0.5).values()), (z, marginal)
    )
    parameter.requires_grad_()
    assert torch.autograd.grad(duet(z, marginal, parameter)["group"], parameter, allow_unused=True) == (None,)


def test_half_precision_is_computed_in_full():
    z, marginal, parameter = random(2, 8, 6).bfloat16(), random(2, 8, 4).bfloat16(), torch.rand(2, 8)
    exact = duet(z.double(), marginal.double(), parameter)
    for name, value in duet(z, marginal, parameter).items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.double(), exact[name], rtol=1e-4, atol=1e-5)


def test_bad_input():
    for bins, spread in ((0, None), (4, 0.0)):
        with pytest.raises(InputError, match="1 bin or more"):
            binned(GRID, bins, spread=spread)
    with pytest.raises(InputError, match="one view"):
        duet(random(1, 4, 3), random(1, 4, 3), torch.rand(1, 4))
