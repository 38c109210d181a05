"""CLIP's, ALIGN's and SigLIP's losses against double loops, their limits, and their blocks."""

import math

import pytest
import torch
import torch.nn.functional as F

from anyview.errors import InputError
from anyview.objectives import pairwise
from anyview.objectives.pairs import pair_nce, pair_sigmoid


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def softmax_loops(z, scale, smoothing):
    """There and back, written from the formula."""
    x, y = F.normalize(z, dim=-1)
    b = len(x)

    def one_way(x, y):
        total = 0.0
        for i in range(b):
            exps = [torch.exp(scale * x[i] @ y[j]) for j in range(b)]
            for j in range(b):
                q = (1 - smoothing) * (i == j) + smoothing / b
                total = total - q * torch.log(exps[j] / sum(exps)) / b
        return total

    return one_way(x, y), one_way(y, x)


def sigmoid_loops(z, scale, bias):
    x, y = F.normalize(z, dim=-1)
    total = 0.0
    for i in range(len(x)):
        for j in range(len(x)):
            sign = 1 if i == j else -1
            total = total - torch.log(1 / (1 + torch.exp(-sign * (scale * x[i] @ y[j] + bias))))
    return total / len(x)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(pairwise, "BLOCK", 1)
    monkeypatch.setattr(pairwise, "ROWS", 3)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("blocks", [False, True])
def test_softmax_is_the_double_loop_in_value_and_gradient(smoothing, blocks, request):
    if blocks:
        request.getfixturevalue("small_blocks")
    z, scale = random(2, 7, 4).requires_grad_(), torch.tensor(7.0, dtype=torch.float64, requires_grad=True)
    got, wanted = sum(pair_nce(z, scale, smoothing).values()), sum(softmax_loops(z, scale, smoothing))
    torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10)
    for a, b in zip(torch.autograd.grad(got, (z, scale)), torch.autograd.grad(wanted, (z, scale))):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("blocks", [False, True])
def test_sigmoid_is_the_double_loop_in_value_and_gradient(blocks, request):
    if blocks:
        request.getfixturevalue("small_blocks")
    z = random(2, 7, 4).requires_grad_()
    scale = torch.tensor(10.0, dtype=torch.float64, requires_grad=True)
    bias = torch.tensor(-3.0, dtype=torch.float64, requires_grad=True)
    got, wanted = pair_sigmoid(z, scale, bias), sigmoid_loops(z, scale, bias)
    torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10)
    given = (z, scale, bias)
    for a, b in zip(torch.autograd.grad(got, given), torch.autograd.grad(wanted, given)):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_smoothing_zero_is_the_cross_entropy_of_clip():
    z, scale = random(2, 9, 5), torch.tensor(5.0, dtype=torch.float64)
    x, y = F.normalize(z, dim=-1)
    logits, own = 5.0 * x @ y.T, torch.arange(9)
    terms = pair_nce(z, scale)
    torch.testing.assert_close(terms["there"], F.cross_entropy(logits, own))
    torch.testing.assert_close(terms["back"], F.cross_entropy(logits.T, own))


def test_limits_of_the_softmax():
    scale = torch.tensor(5.0, dtype=torch.float64)
    alone = pair_nce(random(2, 1, 4), scale)
    assert all(abs(float(term)) < 1e-12 for term in alone.values())
    equal = pair_nce(torch.ones(2, 8, 4, dtype=torch.float64), scale, 0.1)
    assert all(float(term) == pytest.approx(math.log(8)) for term in equal.values())


def test_turning_the_sides_round_turns_the_softmax_round_and_leaves_the_sigmoid():
    z, scale = random(2, 7, 4), torch.tensor(5.0, dtype=torch.float64)
    a, b = pair_nce(z, scale, 0.1), pair_nce(z.flip(0), scale, 0.1)
    torch.testing.assert_close(a["there"], b["back"])
    bias = torch.tensor(-2.0, dtype=torch.float64)
    torch.testing.assert_close(pair_sigmoid(z, scale, bias), pair_sigmoid(z.flip(0), scale, bias))


def test_order_and_length_do_not_matter():
    z, scale, bias = random(2, 7, 4), torch.tensor(5.0).double(), torch.tensor(-2.0).double()
    order = torch.randperm(7)
    moved = z[:, order] * torch.rand(2, 7, 1).double().add(0.1)
    torch.testing.assert_close(pair_sigmoid(z, scale, bias), pair_sigmoid(moved, scale, bias))
    torch.testing.assert_close(pair_nce(z, scale)["there"], pair_nce(moved, scale)["there"])


def test_the_sigmoid_starts_at_about_ten_whatever_the_batch_and_without_bias_grows_with_it():
    start, none = torch.tensor(-10.0), torch.tensor(0.0)
    for batch in (16, 64, 256):
        z = random(2, batch, 128).float()
        assert 8.5 < float(pair_sigmoid(z, torch.tensor(10.0), start)) < 11.5
        assert float(pair_sigmoid(z, torch.tensor(10.0), none)) > batch * math.log(2)


def test_half_precision_is_computed_in_full():
    z = random(2, 6, 4).to(torch.bfloat16)
    scale, bias = torch.tensor(10.0), torch.tensor(-10.0)
    torch.testing.assert_close(pair_sigmoid(z, scale, bias), pair_sigmoid(z.float(), scale, bias))


def test_a_smoothing_that_cannot_be():
    with pytest.raises(InputError, match="label smoothing"):
        pair_nce(random(2, 3, 4), torch.tensor(1.0).double(), 1.5)
