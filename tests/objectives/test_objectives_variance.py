"""VICReg and Barlow Twins against loops over dimensions, on both sides of batch = dim."""

import pytest
import torch
import torch.nn.functional as F
from jaxtyping import TypeCheckError
from torch.utils._python_dispatch import TorchDispatchMode

from anyview.errors import InputError
from anyview.objectives.variance import barlow_twins, squared_off_diagonal, vicreg

SHAPES = [(2, 12, 5), (2, 5, 12), (2, 6, 6), (3, 9, 4), (3, 4, 9)]


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def pairs(views):
    return [(v, w) for v in range(views) for w in range(v + 1, views)]


def vicreg_loops(z, gamma=1.0, eps=1e-4):
    """Unweighted terms, entry by entry, a mean over pairs of views."""
    views, n, d = z.shape

    def cov(x, i, j):
        return sum((x[b, i] - x[:, i].mean()) * (x[b, j] - x[:, j].mean()) for b in range(n)) / (n - 1)

    def v(x):
        return sum(torch.relu(gamma - torch.sqrt(cov(x, j, j) + eps)) for j in range(d)) / d

    def c(x):
        return sum(cov(x, i, j) ** 2 for i in range(d) for j in range(d) if i != j) / d

    terms = [(F.mse_loss(z[a], z[b]), (v(z[a]) + v(z[b])) / 2, c(z[a]) + c(z[b])) for a, b in pairs(views)]
    return [sum(t) / len(terms) for t in zip(*terms)]


def barlow_loops(z, lambd, eps=1e-5):
    views, _, d = z.shape
    total = 0.0
    for v, w in pairs(views):
        for i in range(d):
            for j in range(d):
                a, b = z[v, :, i] - z[v, :, i].mean(), z[w, :, j] - z[w, :, j].mean()
                c = (a * b).mean() / torch.sqrt((a.square().mean() + eps) * (b.square().mean() + eps))
                total = total + ((1 - c) ** 2 if i == j else lambd * c**2)
    return total / len(pairs(views))


@pytest.mark.parametrize("shape", SHAPES)
def test_vicreg_is_the_loops(shape):
    z = 0.7 * random(*shape)
    terms = vicreg(z, 2.0, 3.0, 5.0)
    assert list(terms) == ["invariance", "variance", "covariance"]
    for got, weight, expected in zip(terms.values(), (2, 3, 5), vicreg_loops(z)):
        torch.testing.assert_close(got, weight * expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_barlow_twins_is_the_loops(shape):
    z = random(*shape)
    torch.testing.assert_close(barlow_twins(z, 0.02), barlow_loops(z, 0.02), rtol=1e-9, atol=1e-9)


def test_barlow_twins_normalises_as_batch_norm_does():
    z = 0.01 * random(2, 16, 5)  # small enough for eps to matter
    norm = torch.nn.BatchNorm1d(5, affine=False).double()
    c = norm(z[0]).T @ norm(z[1]) / 16
    off = c - c.diagonal().diag()
    expected = (1 - c.diagonal()).square().sum() + 0.0051 * off.square().sum()
    torch.testing.assert_close(barlow_twins(z), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("objective", [lambda z: sum(vicreg(z).values()), barlow_twins])
@pytest.mark.parametrize("shape", [(2, 6, 3), (2, 3, 6), (3, 4, 4)])
def test_gradcheck(objective, shape):
    assert torch.autograd.gradcheck(objective, 0.5 * random(*shape).requires_grad_())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("objective", [lambda z: sum(vicreg(z).values()), barlow_twins])
def test_invariances(objective, shape):
    z = random(*shape)
    loss = objective(z)
    samples = torch.randperm(shape[1], generator=torch.Generator().manual_seed(0))
    dims = torch.randperm(shape[2], generator=torch.Generator().manual_seed(0))
    for same in (z[:, samples], z[..., dims], z.flip(0), z + random(shape[2], seed=1)):
        torch.testing.assert_close(objective(same), loss, rtol=1e-9, atol=1e-9)
    other = torch.cat([z[:1, samples], z[1:]])  # pairs views of different samples
    assert abs(objective(other) - loss) > 1e-3


def test_halves_gathered_are_the_whole_batch():
    a, b = random(2, 6, 4), random(2, 6, 4, seed=1)
    whole, swapped = vicreg(torch.cat([a, b], 1)), vicreg(torch.cat([b, a], 1))
    for name in whole:
        torch.testing.assert_close(whole[name], swapped[name], rtol=1e-12, atol=1e-12)


def test_vicreg_limits():
    collapsed = torch.ones(2, 8, 4, requires_grad=True)
    terms = vicreg(collapsed, variance=1.0)
    assert terms["invariance"].item() == terms["covariance"].item() == 0
    assert terms["variance"].item() == pytest.approx(1 - 1e-4**0.5, abs=1e-6)
    sum(terms.values()).backward()
    assert collapsed.grad.isfinite().all()
    white = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64).expand(2, 4, 2)
    assert sum(vicreg(white).values()).item() == pytest.approx(0, abs=1e-12)


def test_barlow_twins_limits():
    white = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64).expand(2, 4, 2)
    assert barlow_twins(white, eps=0.0).item() == pytest.approx(0, abs=1e-12)
    assert barlow_twins(torch.stack([white[0], -white[1]]), eps=0.0).item() == pytest.approx(8, abs=1e-12)
    collapsed = torch.ones(2, 8, 4, requires_grad=True)
    loss = barlow_twins(collapsed)
    loss.backward()
    assert loss.item() == pytest.approx(4)
    assert collapsed.grad.isfinite().all()


@pytest.mark.parametrize("shape", [(2, 64, 16), (2, 16, 64)])
def test_half_precision_input_is_computed_in_full(shape):
    z = random(*shape).bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms, loss = vicreg(z), barlow_twins(z)
    exact = z.detach().double()
    for name, expected in vicreg(exact).items():
        torch.testing.assert_close(terms[name].double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(loss.double(), barlow_twins(exact), rtol=1e-5, atol=1e-5)
    (loss + sum(terms.values())).backward()
    assert z.grad.isfinite().all()


class Largest(TorchDispatchMode):
    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.elements = max(self.elements, out.numel())
        return out


@pytest.mark.parametrize("objective", [lambda z: sum(vicreg(z).values()), barlow_twins])
def test_no_matrix_of_all_dimensions_when_they_are_many(objective):
    z = torch.randn(2, 8, 500, requires_grad=True)
    with Largest() as largest:
        objective(z).backward()
    assert largest.elements <= z.numel() < 500 * 500


def test_both_ways_to_the_off_diagonal_agree_when_one_dimension_dominates():
    x = random(1, 8, 9)
    x[..., 0] *= 100
    c = x[0].T @ x[0]
    expected = (c - c.diagonal().diag()).square().sum()
    torch.testing.assert_close(squared_off_diagonal(x)[0], expected, rtol=1e-7, atol=0)


@pytest.mark.parametrize("objective", [vicreg, barlow_twins])
def test_bad_input_is_refused(objective):
    for shape in ((1, 6, 4), (2, 1, 4)):
        with pytest.raises(InputError, match=f"{objective.__name__} needs at least two views of two samples"):
            objective(random(*shape))
    with pytest.raises(TypeCheckError):
        objective(random(6, 4))
