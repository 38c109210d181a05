"""Classification of indices against PyTorch's cross-entropy, its limits and its gradients."""

import math

import pytest
import torch
import torch.nn.functional as F

from anyview.errors import InputError
from anyview.objectives import pairwise
from anyview.objectives.indices import index_cross_entropy

INDEX = torch.tensor([3, 0, 8, 5])


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=[False, True])
def blocks(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(pairwise, "BLOCK", 10)
        monkeypatch.setattr(pairwise, "ROWS", 1)


@pytest.mark.parametrize("smoothing", [0.0, 0.8])
@pytest.mark.parametrize("views", [1, 2])
def test_it_is_cross_entropy_over_all_samples(blocks, smoothing, views):
    h, w = random(views, 4, 6).requires_grad_(), random(9, 6, seed=1).requires_grad_()
    expected = F.cross_entropy(
        (h @ w.T).flatten(0, 1), INDEX.repeat(views), label_smoothing=smoothing, reduction="mean"
    )
    got = index_cross_entropy(h, w, INDEX, smoothing)
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-10)
    for a, b in zip(torch.autograd.grad(got, (h, w)), torch.autograd.grad(expected, (h, w))):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-10)


def test_smoothed_targets_written_out():
    h, w, a = random(1, 4, 6), random(9, 6, seed=1), 0.8
    terms = []
    for b, i in enumerate(INDEX):
        e = [torch.exp(w[k] @ h[0, b]) for k in range(9)]
        q = [(1 - a) * (k == i) + a / 9 for k in range(9)]
        terms.append(-sum(q[k] * torch.log(e[k] / sum(e)) for k in range(9)))
    torch.testing.assert_close(index_cross_entropy(h, w, INDEX, a), torch.stack(terms).mean())


def test_parametric_instance_discrimination_is_its_limit():
    """Unit rows over a temperature and no smoothing: Exemplar-CNN's softmax with NPID's normalisation."""
    h, w = F.normalize(random(1, 4, 6), dim=-1), F.normalize(random(9, 6, seed=1), dim=1)
    terms = [-(torch.log_softmax(w @ x / 0.07, 0))[i] for x, i in zip(h[0], INDEX)]
    got = index_cross_entropy(h, w / 0.07, INDEX, 0.0)
    torch.testing.assert_close(got, torch.stack(terms).mean(), rtol=1e-9, atol=1e-10)


def test_rows_of_absent_samples_get_their_share_of_the_softmax():
    h, w = random(1, 4, 6), random(9, 6, seed=1).requires_grad_()
    index_cross_entropy(h, w, INDEX, 0.0).backward()
    p = (h[0] @ w.detach().T).softmax(1)
    for absent in (1, 2, 4, 6, 7):
        torch.testing.assert_close(w.grad[absent], (p[:, absent, None] * h[0]).mean(0))


def test_equal_logits_give_the_logarithm_of_the_number():
    for smoothing in (0.0, 0.8):
        loss = index_cross_entropy(random(1, 4, 6), torch.ones(9, 6, dtype=torch.float64), INDEX, smoothing)
        assert loss.item() == pytest.approx(math.log(9), abs=1e-12)


def test_gradients_are_numerically_right():
    h, w = random(2, 3, 4).requires_grad_(), random(5, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda *x: index_cross_entropy(*x, torch.tensor([1, 4, 0])), (h, w))


def test_half_precision_is_computed_in_full():
    h, w = random(2, 4, 6).bfloat16(), random(9, 6, seed=1).bfloat16()
    got = index_cross_entropy(h, w, INDEX)
    assert got.dtype == torch.float32
    torch.testing.assert_close(
        got.double(), index_cross_entropy(h.double(), w.double(), INDEX), rtol=1e-5, atol=1e-5
    )


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="label smoothing"):
        index_cross_entropy(random(1, 4, 6), random(9, 6), INDEX, 1.0)
