"""Debiased contrast against the paper's formula, its bound, and the bias that it takes away."""

import math

import pytest
import torch
import torch.nn.functional as F

from anyview.errors import InputError
from anyview.objectives.contrastive import nt_xent
from anyview.objectives.debiased import debiased_nce, true_negatives


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def near(seed=0, spread=0.3):
    """Views that agree, so that more is taken away than for random ones."""
    return random(1, 6, 4, seed=seed) + spread * random(3, 6, 4, seed=seed + 1)


def slow(z, t, prior):
    """Each anchor and positive from equation 8, one exponential at a time."""
    views, batch, _ = z.shape
    u = F.normalize(z, dim=-1)
    terms = []
    for v in range(views):
        for i in range(batch):
            negative = [
                torch.exp(u[v, i] @ u[w, j] / t) for w in range(views) for j in range(batch) if j != i
            ]
            own = [torch.exp(u[v, i] @ u[w, i] / t) for w in range(views) if w != v]
            g = (sum(negative) / len(negative) - prior * sum(own) / len(own)) / (1 - prior)
            g = torch.clamp(g, min=math.exp(-1 / t))
            terms += [-torch.log(p / (p + len(negative) * g)) for p in own]
    return torch.stack(terms).mean()


@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("prior", [0.0, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("t", [1.0, 0.5, 0.05])
def test_is_the_formula(views, prior, t):
    for z in (random(views, 6, 4).requires_grad_(), near()[:views].requires_grad_()):
        got, expected = debiased_nce(z, t, prior), slow(z, t, prior)
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-10)
        grads = [torch.autograd.grad(x, z)[0] for x in (got, expected)]
        torch.testing.assert_close(*grads, rtol=1e-7, atol=1e-9)


def test_without_prior_is_nt_xent():
    z = random(2, 12, 5)
    torch.testing.assert_close(debiased_nce(z, 0.3, 0.0), nt_xent(z, 0.3), rtol=1e-12, atol=1e-12)


def test_the_bound_holds_where_the_estimate_is_below_it_and_nowhere_else():
    z, t, prior = near(spread=1.0)[:2], 0.5, 0.3
    u = F.normalize(z, dim=-1)
    positive, estimate, floor = true_negatives(z, t, prior)
    bounded = 0
    for v in range(2):
        for i in range(6):
            s = [torch.exp(u[v, i] @ u[w, j] / t) for w in range(2) for j in range(6) if j != i]
            own = torch.exp(u[v, i] @ u[1 - v, i] / t)
            plain = (sum(s) / 10 - prior * own) / (1 - prior)
            below = bool(plain < math.exp(-1 / t))
            assert bool(estimate[v, i] < floor) == below
            if plain > 0:
                assert estimate[v, i].exp().item() == pytest.approx(plain.item(), rel=1e-9)
            bounded += below
            torch.testing.assert_close(positive[0, v, i].exp(), own)
    assert floor == -1 / t
    assert 0 < bounded < 12


def test_gradients_are_finite_where_all_is_bounded():
    for t in (0.5, 0.01):
        z = random(1, 6, 4, dtype=torch.float32).expand(2, 6, 4).clone().requires_grad_()
        debiased_nce(z, t, 0.9).backward()
        assert z.grad.isfinite().all()


def test_the_estimate_is_unbiased_and_the_plain_one_is_not():
    """Classes of vectors on a circle: over many batches the mean before the bound is that of true negatives."""
    generator = torch.Generator().manual_seed(0)
    batches, batch, t, prior = 10_000, 9, 1.0, 0.25
    classes = torch.randint(0, 4, (batches, batch), generator=generator)
    angle = classes * math.pi / 2 + 0.4 * torch.randn(2, batches, batch, generator=generator).double()
    u = torch.stack([angle.cos(), angle.sin()], -1)
    # the objective's own quantities for the first anchor of every batch, all batches at once
    s = torch.exp(torch.einsum("bd,vbsd->bsv", u[0, :, 0], u) / t)  # (batches, samples, views)
    own, plain = s[:, 0, 1], s[:, 1:].mean((1, 2))
    estimate = (plain - prior * own) / (1 - prior)
    for i in range(20):
        _, found, _ = true_negatives(u[:, i], t, prior)
        assert found[0, 0].exp().item() == pytest.approx(max(0, estimate[i].item()), rel=1e-9)
    other = (classes[:, 1:] != classes[:, :1])[..., None].expand(-1, -1, 2)
    truth = s[:, 1:][other].mean()
    same = s[:, 1:][~other].mean()
    assert estimate.mean().item() == pytest.approx(truth.item(), rel=0.01)
    assert (plain.mean() - truth).item() == pytest.approx(prior * (same - truth).item(), rel=0.03)
    assert plain.mean() > 1.1 * truth


def test_invariances():
    z = random(2, 8, 5)
    loss = debiased_nce(z)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    for same in (z.flip(0), z[:, order], 4 * z):
        torch.testing.assert_close(debiased_nce(same), loss, rtol=1e-12, atol=1e-12)


def test_half_precision_is_computed_in_full():
    z = random(2, 8, 5).bfloat16()
    loss = debiased_nce(z)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), debiased_nce(z.double()), rtol=1e-5, atol=1e-5)


def test_bad_input_is_refused():
    for shape in ((1, 6, 4), (2, 1, 4)):
        with pytest.raises(InputError, match="two or more"):
            debiased_nce(random(*shape))
    for prior in (-0.1, 1.0):
        with pytest.raises(InputError, match="share from 0"):
            debiased_nce(random(2, 6, 4), 0.5, prior)
    with pytest.raises(InputError, match="temperature must be above"):
        debiased_nce(random(2, 6, 4), 0.0)
