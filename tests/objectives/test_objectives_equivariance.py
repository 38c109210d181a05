"""Rotational equivariance against loops and orthogonal maps, SIE against its formula and VICReg."""

import pytest
import torch
import torch.nn.functional as F

from anyview.errors import InputError
from anyview.objectives.equivariance import rotation_equivariance, sie
from anyview.objectives.variance import vicreg

GROUP = torch.tensor([4, 4, 4, 9, 9, 0, 0, 0, 0])


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def loops(z, group):
    u, found = z / z.norm(dim=-1, keepdim=True), []
    for i in range(len(group)):
        for j in range(len(group)):
            if i != j and group[i] == group[j]:
                found.append((u[0, i] @ u[0, j] - u[1, i] @ u[1, j]) ** 2)
    return torch.stack(found).mean()


def test_rotation_equivariance_is_the_loop():
    z = random(2, 9, 5)
    torch.testing.assert_close(rotation_equivariance(z, GROUP), loops(z, GROUP), rtol=1e-10, atol=1e-12)
    order = torch.tensor([5, 0, 3, 6, 1, 7, 4, 2, 8])  # groups need not lie together
    torch.testing.assert_close(
        rotation_equivariance(z[:, order], GROUP[order]), loops(z, GROUP), rtol=1e-10, atol=1e-12
    )
    one = torch.zeros(9, dtype=torch.int64)
    torch.testing.assert_close(rotation_equivariance(z, one), loops(z, one), rtol=1e-10, atol=1e-12)


def test_the_code_of_the_paper_is_this_times_twice_the_partners():
    z, chunks = random(2, 12, 5), 3
    u = F.normalize(z, dim=-1)
    terms = []
    for part in u.split(12 // chunks, 1):
        off = ((part[0] @ part[0].T) - (part[1] @ part[1].T)).square()
        terms.append(2 * (off - off.diagonal().diag()).sum(1).mean())
    theirs = torch.stack(terms).mean()
    group = torch.arange(12) // 4
    torch.testing.assert_close(theirs, 2 * (4 - 1) * rotation_equivariance(z, group), rtol=1e-10, atol=0)


def test_it_is_zero_for_rotations_and_where_nothing_moves_and_above_for_other_maps():
    z = F.normalize(random(9, 5), dim=-1)
    rotation = torch.linalg.qr(random(5, 5, seed=1))[0]
    for other in (z @ rotation, z @ -rotation, z):  # reflections keep products too
        assert rotation_equivariance(torch.stack([z, other]), GROUP).item() < 1e-30
    # each group may be turned by its own
    turned = torch.where((GROUP == 4)[:, None], z @ rotation, z)
    assert rotation_equivariance(torch.stack([z, turned]), GROUP).item() < 1e-30
    assert rotation_equivariance(torch.stack([z, turned]), torch.zeros(9, dtype=torch.int64)).item() > 1e-3
    sheared = z @ (torch.eye(5, dtype=torch.float64) + random(5, 5, seed=2))
    assert rotation_equivariance(torch.stack([z, sheared]), GROUP).item() > 1e-3


def test_lengths_do_not_matter():
    z = random(2, 9, 5)
    scaled = z * random(2, 9, 1, seed=3).exp()
    torch.testing.assert_close(rotation_equivariance(scaled, GROUP), rotation_equivariance(z, GROUP))


def test_gradients():
    z = random(2, 9, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: rotation_equivariance(z, GROUP), z)
    halves = [random(2, 6, 3).requires_grad_(), random(2, 6, 2, seed=1).requires_grad_()]
    predicted = random(6, 2, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda *x: sum(sie(*x).values()), (*halves, predicted))


def test_sie_is_the_formula():
    still, moving, predicted = (
        0.7 * random(2, 8, 4),
        0.6 * random(2, 8, 3, seed=1),
        0.5 * random(8, 3, seed=2),
    )

    def v(x):
        return torch.stack([(1 - (x[:, j].var() + 1e-4).sqrt()).relu() for j in range(x.shape[1])]).mean()

    def c(x):
        cov = torch.cov(x.T)
        return sum(cov[i, j] ** 2 for i in range(len(cov)) for j in range(len(cov)) if i != j) / len(cov)

    one, two = (torch.cat([still[k], moving[k]], 1) for k in (0, 1))
    terms = sie(still, moving, predicted, 3.0, 0.2, 5.0, 7.0)
    expected = {
        "invariance": 3 * (still[0] - still[1]).square().mean(),
        "equivariance": 3 * 0.2 * (predicted - moving[1]).square().mean(),
        "variance": 5 * ((v(one) + v(two)) / 2 + v(predicted) / 2),
        "covariance": 7 * (c(one) + c(two)),
    }
    assert set(terms) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, rtol=1e-10, atol=1e-12)


def test_sie_without_an_equivariant_half_is_vicreg():
    z, none = random(2, 9, 5), torch.empty(2, 9, 0, dtype=torch.float64)
    found, expected = sie(z, none, none[0], 25.0, 0.45, 25.0, 1.0), vicreg(z, 25.0, 25.0, 1.0)
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=0)


def test_halves_that_repeat_each_other_cost_and_no_gradient_is_stopped():
    still, moving = random(2, 20, 4), random(2, 20, 4, seed=1)
    repeated = sie(still, still, still[0])["covariance"]
    assert repeated > 2 * sie(still, moving, moving[0])["covariance"]
    moving.requires_grad_()
    (grad,) = torch.autograd.grad(sie(still, moving, moving[0] ** 2)["equivariance"], moving)
    assert (grad.abs().sum((1, 2)) > 0).all()


def test_half_precision_is_computed_in_full():
    z = random(2, 9, 8).bfloat16()
    loss = rotation_equivariance(z, GROUP)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), rotation_equivariance(z.double(), GROUP), rtol=1e-4, atol=1e-6)
    for name, value in sie(z, z, z[0]).items():
        torch.testing.assert_close(
            value.double(), sie(z.double(), z.double(), z[0].double())[name], rtol=1e-4, atol=1e-5
        )


def test_bad_input():
    with pytest.raises(InputError, match="share a transformation"):
        rotation_equivariance(random(2, 3, 4), torch.arange(3))
    with pytest.raises(InputError, match="two views of two samples"):
        sie(random(2, 1, 3), random(2, 1, 3), random(1, 3))
