"""Coding rate against NumPy's determinant, EMP-SSL against loops; the sign is pinned."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from anyview.errors import InputError
from anyview.objectives.coding_rate import coding_rate, emp_ssl


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def slow(z, eps):
    u = z.numpy() / np.linalg.norm(z.numpy(), axis=1, keepdims=True)
    batch, dim = u.shape
    return 0.5 * np.linalg.slogdet(np.eye(dim) + dim / (batch * eps**2) * u.T @ u)[1]


@pytest.mark.parametrize("shape", [(12, 5), (5, 12), (6, 6)])
@pytest.mark.parametrize("eps", [0.2, 0.5, 2.0])
def test_coding_rate_is_half_the_log_determinant(shape, eps):
    z = random(*shape)
    assert coding_rate(z, eps).item() == pytest.approx(slow(z, eps), rel=1e-10)


def test_eps_is_squared_as_in_the_paper():
    z = random(20, 4)
    assert abs(coding_rate(z, 0.2).item() - slow(z, math.sqrt(0.2))) > 1
    assert coding_rate(z, math.sqrt(0.2)).item() == pytest.approx(slow(z, math.sqrt(0.2)), rel=1e-10)


def test_it_grows_with_rank_from_its_least_to_its_most():
    dim, eps, rates = 8, 0.2, []
    for rank in (1, 2, 4, 8):
        z = torch.eye(dim, dtype=torch.float64)[torch.arange(16) % rank]
        rates.append(coding_rate(z, eps).item())
        assert rates[-1] == pytest.approx(rank / 2 * math.log(1 + dim / (rank * eps**2)), rel=1e-10)
    assert rates == sorted(rates)
    for seed in range(5):
        assert rates[0] < coding_rate(random(16, dim, seed=seed), eps).item() < rates[-1]


@pytest.mark.parametrize("views", [2, 5])
def test_emp_ssl_is_the_double_loop(views):
    z = random(views, 7, 4)
    u = F.normalize(z, dim=-1)
    rate = sum(slow(z[v], 0.3) for v in range(views)) / views
    near = sum(F.cosine_similarity(u[v, b], u[:, b].mean(0), dim=0) for v in range(views) for b in range(7))
    terms = emp_ssl(z, 5.0, 0.3)
    assert terms["coding_rate"].item() == pytest.approx(-rate, rel=1e-10)
    assert terms["similarity"].item() == pytest.approx(-5 * near.item() / (7 * views), rel=1e-10)


def test_the_sign_rewards_spread():
    spread = torch.eye(8, dtype=torch.float64).expand(3, 8, 8)
    point = torch.ones(3, 8, 8, dtype=torch.float64)
    for weight in (0.0, 200.0):
        losses = [sum(emp_ssl(z, weight).values()).item() for z in (spread, point)]
        assert losses[0] < losses[1]  # both agree with their mean, only one spreads
    z = random(4, 10, 6).requires_grad_()
    (grad,) = torch.autograd.grad(emp_ssl(z)["coding_rate"], z)
    assert coding_rate((z - 0.01 * grad).detach()).sum() > coding_rate(z.detach()).sum()


def test_invariances():
    z, rotation = random(4, 10, 6), torch.linalg.qr(random(6, 6, seed=1))[0]
    order = torch.tensor([2, 0, 3, 1])
    for same in (z[order], z.flip(1), z @ rotation, z * random(4, 10, 1, seed=2).exp()):
        for name, value in emp_ssl(same).items():
            torch.testing.assert_close(value, emp_ssl(z)[name], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", [(2, 6, 3), (2, 3, 6)])
def test_gradcheck(shape):
    assert torch.autograd.gradcheck(lambda z: sum(emp_ssl(z).values()), random(*shape).requires_grad_())


def test_bad_input():
    with pytest.raises(InputError, match="one view"):
        emp_ssl(random(1, 4, 3))
    with pytest.raises(InputError, match="eps"):
        coding_rate(random(4, 3), 0.0)
