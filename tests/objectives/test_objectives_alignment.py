"""Alignment and uniformity against loops over pairs."""

import math

import pytest
import torch
from jaxtyping import TypeCheckError

from anyview.errors import InputError
from anyview.objectives import pairwise
from anyview.objectives.alignment import alignment, soft_uniformity, uniformity


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def unit(x):
    return x / x.norm()


@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_alignment_is_the_loops(views, alpha):
    z = random(views, 6, 4)
    distances = [
        (unit(z[v, b]) - unit(z[w, b])).norm() ** alpha
        for b in range(6)
        for v in range(views)
        for w in range(views)
        if v != w
    ]
    torch.testing.assert_close(alignment(z, alpha), torch.stack(distances).mean(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("t", [0.5, 2.0, 30.0])
def test_uniformity_is_the_loops(t, monkeypatch):
    monkeypatch.setattr(pairwise, "BLOCK", 20)
    monkeypatch.setattr(pairwise, "ROWS", 1)
    monkeypatch.setattr(pairwise, "TILE", 5)
    z = random(9, 4)
    kernel = [
        torch.exp(-t * (unit(z[i]) - unit(z[j])).square().sum()) for i in range(9) for j in range(9) if i != j
    ]
    torch.testing.assert_close(uniformity(z, t), torch.stack(kernel).mean().log(), rtol=1e-10, atol=1e-10)


def test_uniformity_of_views_is_the_mean_over_them():
    z = random(3, 9, 4)
    expected = sum(uniformity(view) for view in z) / 3
    torch.testing.assert_close(uniformity(z), expected, rtol=1e-12, atol=1e-12)


def test_limits():
    z = random(2000, 256)
    assert uniformity(z).item() == pytest.approx(-4, abs=0.1)
    assert alignment(torch.stack([z, z])).item() == 0
    assert alignment(torch.stack([z, -z])).item() == pytest.approx(4)
    assert alignment(torch.stack([z, z.flip(0)])).item() == pytest.approx(2, abs=0.1)
    collapsed = torch.ones(2, 8, 4, requires_grad=True)
    assert uniformity(collapsed).item() == pytest.approx(0, abs=1e-5)
    (uniformity(collapsed) + alignment(collapsed, alpha=1.0)).backward()
    assert collapsed.grad.isfinite().all()


def test_gradcheck():
    assert torch.autograd.gradcheck(alignment, random(3, 4, 3).requires_grad_())
    assert torch.autograd.gradcheck(uniformity, random(2, 5, 3).requires_grad_())


def test_invariances():
    z = random(2, 10, 5)
    rotation = torch.linalg.qr(random(5, 5, seed=1))[0]
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    for f in (alignment, uniformity):
        for same in (z @ rotation, z[:, order], z.flip(0), 3 * z):
            torch.testing.assert_close(f(same), f(z), rtol=1e-11, atol=1e-11)


def test_half_precision_is_computed_in_full():
    z = random(2, 10, 5).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = alignment(z), uniformity(z)
    for value, f in zip(got, (alignment, uniformity)):
        assert value.item() == pytest.approx(f(z.double()).item(), abs=1e-5)
        assert math.isfinite(value)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="one view"):
        alignment(random(1, 6, 4))
    with pytest.raises(InputError, match="two or more"):
        uniformity(random(1, 4))
    with pytest.raises(TypeCheckError):
        alignment(random(6, 4))


@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("temperature", [2.0, 0.2])
def test_soft_uniformity_is_the_log_of_the_mean_over_other_samples(views, temperature):
    z = random(views, 6, 4)
    flat = [unit(z[v, b]) for v in range(views) for b in range(6)]
    kernel = [
        torch.exp(a @ c / temperature)
        for i, a in enumerate(flat)
        for j, c in enumerate(flat)
        if i % 6 != j % 6
    ]
    assert len(kernel) == views * 6 * views * 5
    expected = torch.stack(kernel).mean().log()
    torch.testing.assert_close(soft_uniformity(z, temperature), expected, rtol=1e-10, atol=1e-10)
    assert torch.autograd.gradcheck(soft_uniformity, (z.requires_grad_(), temperature))


def test_soft_uniformity_limits():
    assert soft_uniformity(torch.ones(2, 6, 4), 2.0).item() == pytest.approx(0.5, abs=1e-6)
    orthogonal = torch.eye(6).expand(2, 6, 6)  # the two views of a sample are equal and no pair
    assert soft_uniformity(orthogonal, 2.0).item() == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="two or more"):
        soft_uniformity(random(2, 1, 4))
    with pytest.raises(InputError, match="temperature must be above"):
        soft_uniformity(random(2, 6, 4), 0.0)
