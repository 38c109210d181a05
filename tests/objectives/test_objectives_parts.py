"""AMDIM's contrast of places against loops over sources, places and negatives."""

import math

import pytest
import torch
import torch.nn.functional as F

from anyview.errors import InputError
from anyview.objectives import pairwise
from anyview.objectives.parts import part_nce
from anyview.objectives.queries import in_batch_info_nce


def random(*shape, seed=0, scale=3.0):
    return scale * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=[False, True])
def blocks(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(pairwise, "BLOCK", 10)
        monkeypatch.setattr(pairwise, "ROWS", 2)


def slow(source, target, clip):
    """The loop over source, place, negative image and its place; squares of every raw score."""
    batch, places, dim = target.shape

    def raw(i, j, place):
        return source[i] @ target[j, place] / math.sqrt(dim)

    def score(i, j, place):
        return clip * torch.tanh(raw(i, j, place) / clip)

    terms = []
    for i in range(batch):
        for place in range(places):
            total = torch.exp(score(i, i, place))
            for j in range(batch):
                for other in range(places):
                    if j != i:
                        total = total + torch.exp(score(i, j, other))
            terms.append(total.log() - score(i, i, place))
    squares = [raw(i, j, m).square() for i in range(batch) for j in range(batch) for m in range(places)]
    return torch.stack(terms).mean(), torch.stack(squares).mean()


@pytest.mark.parametrize("clip", [20.0, 2.0])
def test_it_is_the_loop(blocks, clip):
    source, target = random(5, 6).requires_grad_(), random(5, 4, 6, seed=1).requires_grad_()
    got, expected = part_nce(source, target, clip), slow(source, target, clip)
    for a, b in zip(got, expected):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)
        for x, y in zip(
            torch.autograd.grad(a, (source, target), retain_graph=True),
            torch.autograd.grad(b, (source, target), retain_graph=True),
        ):
            torch.testing.assert_close(x, y, rtol=1e-7, atol=1e-10)


def test_one_place_and_no_clip_is_info_nce_between_views():
    """Unit vectors, whose scores are cosines over the root of their width."""
    source, target = F.normalize(random(5, 6), dim=-1), F.normalize(random(5, 6, seed=1), dim=-1)
    got, _ = part_nce(source, target[:, None], clip=1e6)
    expected = in_batch_info_nce(source[None], target[None], temperature=math.sqrt(6))
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-9)


def test_no_score_passes_the_clip():
    """With scores between -c and c the loss lies between the values of a perfect and an inverted answer."""
    source, target = random(5, 6, scale=1e4), random(5, 4, 6, seed=1, scale=1e4)
    for clip in (1.0, 5.0):
        for sign in (1, -1):
            loss = part_nce(sign * source, target, clip)[0].item()
            assert math.log1p(16 * math.exp(-2 * clip)) - 1e-9 <= loss <= math.log1p(16 * math.exp(2 * clip))
    x = torch.eye(3, dtype=torch.float64) * 1e4 - 5e3
    sure = part_nce(x, x[:, None], 5.0)[0].item()
    assert sure == pytest.approx(math.log1p(2 * math.exp(-10)), rel=1e-3)


def test_other_places_of_the_own_sample_are_no_negatives():
    source, target = random(5, 6), random(5, 2, 6, seed=1)
    one = part_nce(source, target[:, :1])[0]
    both = part_nce(source, target[:, :1].expand(-1, 2, -1))[0]
    # the same place twice doubles the negatives of other samples and adds none of the own
    assert both < one + math.log(2)
    assert both > one
    order = torch.tensor([1, 0])
    torch.testing.assert_close(part_nce(source, target[:, order])[0], part_nce(source, target)[0])


def test_gradients_are_numerically_right():
    x = random(3, 4, scale=1.0).requires_grad_(), random(3, 2, 4, seed=1, scale=1.0).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: part_nce(a, b, 3.0), x)


def test_half_precision_is_computed_in_full():
    source, target = random(5, 6).bfloat16(), random(5, 4, 6, seed=1).bfloat16()
    got = part_nce(source, target)[0]
    assert got.dtype == torch.float32
    torch.testing.assert_close(
        got.double(), part_nce(source.double(), target.double())[0], rtol=1e-4, atol=1e-4
    )


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="needs two or more"):
        part_nce(random(1, 6), random(1, 4, 6))
    with pytest.raises(InputError, match="clipped"):
        part_nce(random(5, 6), random(5, 4, 6), 0.0)
