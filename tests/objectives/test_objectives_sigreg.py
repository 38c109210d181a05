"""SIGReg against its integral, and LeJEPA against loops."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from anyview.errors import InputError
from anyview.objectives.sigreg import epps_pulley, lejepa, random_directions, sigreg


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def trapezoid(x):
    """The listing: 17 points over [-5, 5], complex exponentials, numpy's trapezoid rule."""
    t = np.linspace(-5, 5, 17)
    normal = np.exp(-(t**2) / 2)
    found = np.exp(1j * t[:, None] * x[None]).mean(1)
    return len(x) * np.trapezoid(np.abs(found - normal) ** 2 * normal, t)


def test_epps_pulley_is_the_trapezoid_rule():
    x = 1.7 * random(30, 4) + 0.3
    expected = [trapezoid(x[:, j].numpy()) for j in range(4)]
    torch.testing.assert_close(epps_pulley(x), torch.tensor(expected), rtol=1e-10, atol=1e-10)


def test_epps_pulley_is_near_the_integral():
    x = random(25, 1) + 0.5

    def error(t):
        found = np.exp(1j * t * x[:, 0].numpy()).mean()
        return abs(found - np.exp(-t * t / 2)) ** 2 * np.exp(-t * t / 2)

    assert epps_pulley(x).item() == pytest.approx(25 * quad(error, -8, 8, limit=200)[0], rel=2e-3)


def test_a_gaussian_is_small_and_anything_else_grows_with_the_batch():
    for batch in (256, 4096):
        normal = epps_pulley(random(batch, 256)).mean().item()
        assert normal == pytest.approx(math.sqrt(2 * math.pi) * (1 - math.sqrt(1 / 3)), abs=0.2)
        for other in (torch.zeros(batch, 64).double(), 2 * random(batch, 64), random(batch, 64).sign()):
            assert epps_pulley(other).mean().item() > 0.02 * batch


def test_sigreg_is_the_mean_over_views_and_directions():
    z, a = random(3, 20, 5), random_directions(5, 7, 0)
    assert torch.allclose(a.norm(dim=0), torch.ones(7))
    terms = [trapezoid((z[v] @ a[:, m].double()).numpy()) for v in range(3) for m in range(7)]
    assert sigreg(z, a).item() == pytest.approx(np.mean(terms), rel=1e-9)


def test_directions_follow_from_the_seed_alone():
    first = random_directions(6, 9, 3)
    torch.manual_seed(77)
    assert torch.equal(random_directions(6, 9, 3), first)
    assert not torch.equal(random_directions(6, 9, 4), first)
    state = torch.get_rng_state()
    random_directions(6, 9, 5)
    assert torch.equal(torch.get_rng_state(), state)


def test_lejepa_is_the_formula():
    z, a = random(5, 8, 4), random_directions(4, 6, 0)
    squares = [
        (z[v, b, j] - (z[0, b, j] + z[1, b, j]) / 2) ** 2
        for v in range(5)
        for b in range(8)
        for j in range(4)
    ]
    terms = lejepa(z, a, 0.1)
    assert terms["invariance"].item() == pytest.approx(0.9 * float(sum(squares)) / len(squares), rel=1e-10)
    assert terms["gaussian"].item() == pytest.approx(0.1 * sigreg(z, a).item(), rel=1e-12)


def test_no_gradient_is_stopped_and_descent_makes_a_point_gaussian():
    z = (0.01 * random(2, 64, 4)).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.1)
    for step in range(200):
        loss = sigreg(z, random_directions(4, 32, step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    cov = torch.cov(z[0].detach().T)
    assert (cov.diagonal() - 1).abs().max() < 0.3
    assert z[0].detach().mean(0).abs().max() < 0.3
    z = random(3, 4, 4).requires_grad_()
    (grad,) = torch.autograd.grad(lejepa(z, random_directions(4, 4, 0), 0.0)["invariance"], z)
    assert (grad.abs().sum((1, 2)) > 0).all()  # the centre's views too


def test_gradcheck():
    a = random_directions(3, 5, 0).double()
    assert torch.autograd.gradcheck(lambda z: sum(lejepa(z, a).values()), random(3, 6, 3).requires_grad_())


def test_bad_input():
    a = random_directions(3, 5, 0)
    with pytest.raises(InputError, match="one view"):
        lejepa(random(1, 4, 3), a)
    with pytest.raises(InputError, match="lambd"):
        lejepa(random(2, 4, 3), a, 1.5)
    with pytest.raises(InputError, match="distribution"):
        sigreg(random(2, 1, 3), a)
    assert math.isnan(sigreg(random(2, 4, 3) * math.nan, a).item())
