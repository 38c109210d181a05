"""InfoNCE of queries and keys against the papers' sums, written out."""

import math

import pytest
import torch
import torch.nn.functional as F

from anyview.errors import InputError
from anyview.objectives import pairwise
from anyview.objectives.queries import in_batch_info_nce, info_nce


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=[False, True])
def blocks(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(pairwise, "BLOCK", 20)
        monkeypatch.setattr(pairwise, "ROWS", 1)


def slow(query, key, negatives, t):
    q, k, n = (F.normalize(x, dim=-1) for x in (query, key, negatives))
    terms = []
    for v in range(len(q)):
        for i in range(q.shape[1]):
            own = torch.exp(q[v, i] @ k[v, i] / t)
            terms.append(-torch.log(own / (own + sum(torch.exp(q[v, i] @ x / t) for x in n))))
    return torch.stack(terms).mean()


def slow_in_batch(query, key, t):
    terms = []
    for q, k in zip(F.normalize(query, dim=-1), F.normalize(key, dim=-1)):
        for i in range(len(q)):
            own = torch.exp(q[i] @ k[i] / t)
            terms.append(-torch.log(own / sum(torch.exp(q[i] @ x / t) for x in k)))
    return torch.stack(terms).mean()


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("t", [1.0, 0.2, 0.02])
def test_both_are_the_formula(blocks, views, t):
    q, k, n = random(views, 6, 4).requires_grad_(), random(views, 6, 4, seed=1), random(9, 4, seed=2)
    for got, expected in (
        (info_nce(q, k, n, t), slow(q, k, n, t)),
        (in_batch_info_nce(q, k, t), slow_in_batch(q, k, t)),
    ):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-10)
        grads = [torch.autograd.grad(x, q)[0] for x in (got, expected)]
        torch.testing.assert_close(*grads, rtol=1e-7, atol=1e-10)


def test_limits():
    one = torch.ones(2, 6, 4)
    assert info_nce(one, one, one[0, :5], 0.1).item() == pytest.approx(math.log(6), abs=1e-5)
    assert in_batch_info_nce(one, one, 0.1).item() == pytest.approx(math.log(6), abs=1e-5)
    q = random(1, 3, 4).requires_grad_()
    loss = info_nce(q, q.detach(), random(0, 4))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(q.grad, torch.zeros_like(q))


def test_lengths_and_orders_do_not_matter():
    q, k, n = random(2, 6, 4), random(2, 6, 4, seed=1), random(9, 4, seed=2)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(info_nce(2 * q[:, order], k[:, order], n.flip(0)), info_nce(q, k, n))
    torch.testing.assert_close(in_batch_info_nce(q[:, order], 3 * k[:, order]), in_batch_info_nce(q, k))
    assert abs(info_nce(q[:, order], k, n) - info_nce(q, k, n)) > 1e-3


def test_sharp_temperatures_do_not_overflow():
    q, k = random(1, 6, 4, dtype=torch.float32).requires_grad_(), random(1, 6, 4, seed=1, dtype=torch.float32)
    for loss in (info_nce(q, k, k[0], 1e-3), in_batch_info_nce(q, k, 1e-3)):
        assert loss.isfinite()
        assert torch.autograd.grad(loss, q)[0].isfinite().all()


def test_half_precision_is_computed_in_full():
    q, k, n = random(2, 6, 4).bfloat16(), random(2, 6, 4, seed=1).bfloat16(), random(9, 4, seed=2)
    assert info_nce(q, k, n.float()).dtype == torch.float32
    torch.testing.assert_close(
        in_batch_info_nce(q, k).double(), in_batch_info_nce(q.double(), k.double()), rtol=1e-5, atol=1e-5
    )


def test_bad_input_is_refused():
    q = random(2, 6, 4)
    with pytest.raises(InputError, match="temperature must be above 0"):
        info_nce(q, q, q[0], 0.0)
    with pytest.raises(InputError, match="temperature must be above 0"):
        in_batch_info_nce(q, q, -1.0)
