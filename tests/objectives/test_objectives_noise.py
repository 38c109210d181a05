"""Noise contrast against PIRL's formula, written out entry by entry."""

import math

import pytest
import torch

from anyview.errors import InputError
from anyview.objectives import pairwise
from anyview.objectives.noise import nce
from anyview.objectives.queries import info_nce

OWN = torch.tensor([-1, 4, 0, -1, 8])


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def inputs(dtype=torch.float64):
    return random(5, 6, dtype=dtype), random(5, 6, seed=1, dtype=dtype), random(9, 6, seed=2, dtype=dtype)


@pytest.fixture(params=[False, True])
def blocks(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(pairwise, "BLOCK", 10)
        monkeypatch.setattr(pairwise, "ROWS", 2)
        monkeypatch.setattr(pairwise, "TILE", 5)


def h(u, v, others, t):
    """The pair (u, v) among similarities of v with others."""
    pair = torch.exp(torch.cosine_similarity(u, v, dim=0) / t)
    return pair / (pair + sum(torch.exp(torch.cosine_similarity(v, n, dim=0) / t) for n in others))


def slow(query, key, negatives, own, t, others):
    terms = []
    for q, k, mine in zip(query, key, own):
        drawn = [j for j in range(len(negatives)) if j != mine]
        term = -torch.log(h(k, q, [negatives[j] for j in drawn], t))
        if others:
            for j in drawn:
                rest = [negatives[i] for i in range(len(negatives)) if i != j]
                term = term - torch.log(1 - h(q, negatives[j], rest, t))
        terms.append(term)
    return torch.stack(terms).mean()


@pytest.mark.parametrize("others", [True, False])
@pytest.mark.parametrize("t", [0.5, 0.07, 0.015])
def test_it_is_the_formula(blocks, others, t):
    q, k, n = inputs()
    q.requires_grad_()
    got, expected = nce(q, k, n, OWN, t, others), slow(q, k, n, OWN, t, others)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-8)
    grads = [torch.autograd.grad(x, q)[0] for x in (got, expected)]
    torch.testing.assert_close(*grads, rtol=1e-6, atol=1e-8)


def test_the_first_part_is_info_nce():
    q, k, n = inputs()
    none = torch.full((5,), -1)
    torch.testing.assert_close(nce(q, k, n, none, 0.1, False), info_nce(q[None], k[None], n, 0.1))


def test_equal_vectors():
    one, none = torch.ones(5, 6, dtype=torch.float64), torch.full((5,), -1)
    n = torch.ones(9, 6, dtype=torch.float64)
    assert nce(one, one, n, none, others=False).item() == pytest.approx(math.log(10), abs=1e-9)
    # each 1 - h is 8/9: the pair among it and the other eight
    expected = math.log(10) + 9 * math.log(9 / 8)
    assert nce(one, one, n, none).item() == pytest.approx(expected, abs=1e-9)


def test_the_own_entry_does_not_count():
    q, k, n = inputs()
    for others in (True, False):
        changed = n.clone()
        changed[8] = q[4]  # the last query's own
        first, second = (nce(q[4:], k[4:], x, OWN[4:], 0.07, others) for x in (n, changed))
        if not others:
            torch.testing.assert_close(first, second)
        assert not torch.isclose(second, nce(q[4:], k[4:], changed, torch.tensor([-1]), 0.07, others))


def test_lengths_do_not_matter_and_negatives_get_no_gradient():
    q, k, n = inputs()
    torch.testing.assert_close(nce(2 * q, 3 * k, 4 * n, OWN), nce(q, k, n, OWN))
    n.requires_grad_()
    q.requires_grad_()
    nce(q, k, n, OWN).backward()
    assert n.grad is None
    assert torch.autograd.gradcheck(lambda a, b: nce(a, b, n, OWN, 0.3), (q, k.requires_grad_()))


def test_only_the_own_entry_among_the_negatives_of_info_nce_leaves_nothing_to_tell():
    q, k, n = inputs()
    n = n[4].expand(2, -1)
    q = q[:1].requires_grad_()
    loss = nce(q, k[:1], n, torch.tensor([0]), others=True)
    assert torch.autograd.grad(loss, q)[0].isfinite().all()


def test_half_precision_is_computed_in_full():
    q, k, n = (x.bfloat16() for x in inputs())
    got = nce(q, k, n, OWN)
    assert got.dtype == torch.float32
    torch.testing.assert_close(
        got.double(), nce(q.double(), k.double(), n.double(), OWN), rtol=1e-4, atol=1e-4
    )


def test_bad_input_is_refused():
    q, k, n = inputs()
    with pytest.raises(InputError, match="two negatives or more, not 1"):
        nce(q, k, n[:1], OWN)
    with pytest.raises(InputError, match="temperature"):
        nce(q, k, n, OWN, 0.0)
