"""NT-Xent and DCL against the double loops of the papers, their invariances, limits and memory."""

import math

import pytest
import torch
import torch.nn.functional as F
from jaxtyping import TypeCheckError
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from anyview.errors import InputError
from anyview.objectives import pairwise
from anyview.objectives.contrastive import dcl, nt_xent


def double_loop(z, t):
    """The term of every anchor and positive, written from the formula, one exponential at a time."""
    views, batch, _ = z.shape
    u = F.normalize(z, dim=-1).reshape(views * batch, -1)
    terms = []
    for i in range(len(u)):
        total = sum(torch.exp(u[i] @ u[k] / t) for k in range(len(u)) if k != i)
        for p in range(len(u)):
            if p != i and p % batch == i % batch:
                terms.append(-torch.log(torch.exp(u[i] @ u[p] / t) / total))
    return torch.stack(terms).mean()


def cross_entropy(z, t):
    """The usual dense form for two views: logits with the diagonal masked."""
    u = F.normalize(z.flatten(0, 1), dim=-1)
    n = len(u)
    s = (u @ u.T / t).masked_fill(torch.eye(n, dtype=torch.bool), -torch.inf)
    return F.cross_entropy(s, torch.arange(n).roll(n // 2))


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few rows, so that small inputs take many."""
    monkeypatch.setattr(pairwise, "BLOCK", 40)
    monkeypatch.setattr(pairwise, "ROWS", 1)
    monkeypatch.setattr(pairwise, "TILE", 5)


@pytest.mark.parametrize("views", [2, 3, 4])
@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.07, 0.01])
def test_nt_xent_is_the_double_loop(views, temperature):
    z = random(views, 7, 5)
    torch.testing.assert_close(nt_xent(z, temperature), double_loop(z, temperature), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("temperature", [0.5, 0.1])
def test_nt_xent_of_two_views_is_cross_entropy_with_the_same_gradient(temperature):
    z = random(2, 20, 8).requires_grad_()
    got, expected = nt_xent(z, temperature), cross_entropy(z, temperature)
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(
        *(torch.autograd.grad(x, z)[0] for x in (got, expected)), rtol=1e-9, atol=1e-12
    )


def test_tiles_cover_every_pair_once(small_blocks):
    seen = torch.zeros(23, 23, dtype=torch.int64)
    tiles = pairwise._tiles(23)
    assert len(tiles) > 5
    for rows, columns in tiles:
        seen[rows, columns] += 1
        if rows != columns:
            seen[columns, rows] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("views", [2, 3])
def test_in_blocks_is_in_full(small_blocks, views):
    z = random(views, 9, 4).requires_grad_()
    torch.testing.assert_close(nt_xent(z), double_loop(z, 0.5), rtol=1e-10, atol=1e-10)
    got, expected = (torch.autograd.grad(f(z, 0.5), z)[0] for f in (nt_xent, double_loop))
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


def test_in_blocks_is_in_full_at_the_real_block_size():
    z = random(2, 800, 16, dtype=torch.float32).requires_grad_()
    assert len(pairwise._tiles(1600)) > 1
    got, expected = nt_xent(z), cross_entropy(z, 0.5)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(*(torch.autograd.grad(x, z)[0] for x in (got, expected)), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("views", [2, 3])
def test_gradcheck(small_blocks, views):
    assert torch.autograd.gradcheck(nt_xent, (random(views, 5, 3).requires_grad_(), 0.3))


@pytest.mark.parametrize("views", [2, 3])
def test_equal_embeddings_give_log_of_the_others(views):
    z = torch.ones(views, 6, 4, requires_grad=True)
    loss = nt_xent(z, 0.1)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(views * 6 - 1), abs=1e-5)
    assert z.grad.isfinite().all()


def test_zero_embeddings_have_a_finite_gradient():
    z = torch.zeros(2, 6, 4, requires_grad=True)
    nt_xent(z).backward()
    assert z.grad.isfinite().all()


def test_perfect_views_of_orthogonal_samples():
    z = torch.eye(8, dtype=torch.float64).expand(2, 8, 8)
    t = 0.2
    expected = -math.log(math.exp(1 / t) / (math.exp(1 / t) + 14))
    assert nt_xent(z, t).item() == pytest.approx(expected, abs=1e-12)


def test_one_sample_has_nothing_to_tell_apart():
    assert nt_xent(random(2, 1, 4)).item() == pytest.approx(0, abs=1e-12)


def test_invariances():
    z = random(3, 10, 6)
    loss = nt_xent(z)
    rotation = torch.linalg.qr(random(6, 6, seed=1))[0]
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    for same in (z @ rotation, z.flip(0), z[:, order], z * random(3, 10, 1, seed=2).exp()):
        torch.testing.assert_close(nt_xent(same), loss, rtol=1e-12, atol=1e-12)
    assert abs(nt_xent(torch.stack([z[0][order], z[1], z[2]])) - loss) > 1e-3  # views of other samples


def test_halves_gathered_in_either_order_are_the_whole_batch():
    a, b = random(2, 6, 4), random(2, 6, 4, seed=1)
    whole = double_loop(torch.cat([a, b], 1), 0.5)
    torch.testing.assert_close(nt_xent(torch.cat([b, a], 1)), whole, rtol=1e-12, atol=1e-12)
    assert abs((nt_xent(a) + nt_xent(b)) / 2 - whole) > 1e-2  # not the same without gathering


def test_gradient_is_orthogonal_to_the_embedding():
    z = random(2, 12, 5).requires_grad_()
    (grad,) = torch.autograd.grad(nt_xent(z, 0.1), z)
    assert grad.norm() > 1e-2
    assert (grad * z).sum(-1).abs().max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_input_is_computed_in_full(dtype):
    z = random(2, 16, 8).to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nt_xent(z, 0.1)
        loss.backward()
    assert loss.dtype == torch.float32
    exact = z.detach().double().requires_grad_()
    torch.testing.assert_close(loss.double(), nt_xent(exact, 0.1), rtol=1e-6, atol=1e-6)
    expected = torch.autograd.grad(nt_xent(exact, 0.1), exact)[0]
    assert z.grad.dtype == dtype
    torch.testing.assert_close(z.grad.double(), expected, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("temperature", [0.021, 0.019, 0.005, 0.002])
def test_sharp_temperatures_neither_overflow_nor_underflow(temperature):
    z = random(2, 64, 32, dtype=torch.float32).requires_grad_()  # all cosines far below 1
    z.data[1] = -z.data[0]
    loss = nt_xent(z, temperature)
    torch.testing.assert_close(loss, cross_entropy(z, temperature), rtol=1e-5, atol=1e-4)
    assert torch.autograd.grad(loss, z)[0].isfinite().all()


def test_nan_is_not_hidden():
    z = random(2, 6, 4)
    z[0, 0, 0] = torch.nan
    assert nt_xent(z).isnan()


class Largest(TorchDispatchMode):
    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        sizes = [x.numel() for x in tree_leaves(out) if isinstance(x, torch.Tensor)]
        self.elements = max([self.elements, *sizes])
        return out


def test_no_matrix_of_all_pairs():
    n = 4096
    z = random(2, n // 2, 8, dtype=torch.float32).requires_grad_()
    with Largest() as largest:
        nt_xent(z).backward()
    assert z.grad.abs().sum() > 0
    assert n * 8 <= largest.elements <= max(pairwise.BLOCK, pairwise.ROWS * n) <= n * n // 8


def test_a_second_derivative_is_refused_and_not_wrong():
    z = random(2, 6, 4).requires_grad_()
    with pytest.raises(RuntimeError, match="first derivative only"):
        torch.autograd.grad(nt_xent(z), z, create_graph=True)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="one view"):
        nt_xent(random(1, 6, 4))
    for temperature in (0.0, -1.0, 1e-4):
        with pytest.raises(InputError, match="temperature must be above"):
            nt_xent(random(2, 6, 4), temperature)
    for wrong in (random(6, 4), torch.ones(2, 6, 4, dtype=torch.int64)):
        with pytest.raises(TypeCheckError):
            nt_xent(wrong)


def decoupled(z, t, sigma=None):
    """DCL and DCLW, one anchor, positive and negative at a time."""
    views, batch, _ = z.shape
    u = F.normalize(z, dim=-1)
    terms = []
    for v in range(views):
        for i in range(batch):
            total = sum(
                torch.exp(u[v, i] @ u[w, k] / t) for w in range(views) for k in range(batch) if k != i
            )
            for w in range(views):
                if w == v:
                    continue
                weight = 1.0
                if sigma is not None:
                    agree = torch.stack([torch.exp(u[v, j] @ u[w, j] / sigma) for j in range(batch)]).detach()
                    weight = 2 - agree[i] / agree.mean()
                terms.append(-weight * (u[v, i] @ u[w, i]) / t + torch.log(total))
    return torch.stack(terms).mean()


@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("sigma", [None, 0.5, 0.1])
@pytest.mark.parametrize("temperature", [0.5, 0.1, 0.01])
def test_dcl_is_the_double_loop(small_blocks, views, temperature, sigma):
    z = random(views, 7, 5).requires_grad_()
    got, expected = dcl(z, temperature, sigma), decoupled(z, temperature, sigma)
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)
    grads = [torch.autograd.grad(x, z)[0] for x in (got, expected)]
    torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-10)


def test_dcl_in_large_blocks_and_float32():
    z = random(2, 300, 16, dtype=torch.float32)
    z[1] = z[0]  # positives of 1, which a difference of sums could not be taken from
    exact = decoupled(z[:, :40].double(), 0.03)
    torch.testing.assert_close(dcl(z[:, :40].contiguous(), 0.03).double(), exact, rtol=1e-5, atol=1e-5)
    assert dcl(z, 0.03).isfinite()


def test_dcl_and_nt_xent_differ_by_the_positive_alone():
    z, t = random(2, 9, 5), 0.4
    u = F.normalize(z, dim=-1)
    positive = (u[0] * u[1]).sum(-1) / t
    anchors = u.flatten(0, 1)
    whole = pairwise.logsumexp_of_others(anchors, 1 / t)
    coupled = torch.log(whole.exp() - positive.repeat(2).exp()).mean()
    assert (nt_xent(z, t) - dcl(z, t)).item() == pytest.approx((whole.mean() - coupled).item(), abs=1e-12)


def test_dcl_limits():
    z = torch.ones(2, 6, 4, dtype=torch.float64)
    for sigma in (None, 0.5):  # equal pairs weigh 1 each
        assert dcl(z, 0.2, sigma).item() == pytest.approx(math.log(10), abs=1e-12)
    z = random(2, 10, 6)
    assert dcl(z, 0.3, 1e4).item() == pytest.approx(dcl(z, 0.3).item(), abs=1e-3)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    for same in (z.flip(0), z[:, order], 2 * z):
        torch.testing.assert_close(dcl(same, 0.3, 0.5), dcl(z, 0.3, 0.5), rtol=1e-12, atol=1e-12)


def test_dcl_refuses_bad_input():
    for shape in ((1, 6, 4), (2, 1, 4)):
        with pytest.raises(InputError, match="two or more"):
            dcl(random(*shape))
    with pytest.raises(InputError, match="temperature must be above"):
        dcl(random(2, 6, 4), 0.0)
    with pytest.raises(InputError, match="sigma must be above"):
        dcl(random(2, 6, 4), 0.1, 0.0)
