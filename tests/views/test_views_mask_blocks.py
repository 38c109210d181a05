"""Target blocks with a context beside them, tubes and spans."""

import itertools

import pytest
import torch

from anyview.errors import InputError
from anyview.views.masks import multi_block, span_mask, tube_mask


def grid(*sides, batch=1):
    coords = torch.tensor(list(itertools.product(*map(range, sides)))).float()
    return coords.expand(batch, -1, -1), torch.ones(batch, len(coords), dtype=torch.bool)


@pytest.mark.parametrize("sides", [(40,), (8, 8), (4, 4, 4), (1, 5), (2,)])
def test_blocks_and_context_never_meet_and_both_exist(sides):
    torch.manual_seed(0)
    coords, valid = grid(*sides, batch=200)
    blocks, context = multi_block(coords, valid)
    assert blocks.shape == (200, 4, valid.shape[1])
    assert not (blocks.any(1) & context).any()
    assert context.any(1).all()
    assert blocks.any(2).any(1).all()


def test_blocks_have_their_share_and_are_boxes():
    torch.manual_seed(0)
    coords, valid = grid(14, 14, batch=300)
    blocks, context = multi_block(coords, valid)
    share = blocks.sum(2) / 196
    assert share.min() > 0.14
    assert share.max() < 0.21
    for block in blocks.flatten(0, 1)[:100]:
        places = coords[0][block]
        box = (places.amax(0) - places.amin(0) + 1).prod()
        assert block.sum() >= 0.75 * box  # nothing but a last row is cut
    assert 0.2 < (context.sum(1) / 196).mean() < 0.7


def test_padding_is_in_no_block_and_single_tokens_are_kept():
    torch.manual_seed(0)
    coords, valid = grid(12, batch=4)
    valid = torch.arange(12) < torch.tensor([0, 1, 2, 7])[:, None]
    blocks, context = multi_block(coords, valid, blocks=3)
    assert not (blocks & ~valid[:, None]).any()
    assert not (context & ~valid).any()
    assert not blocks[:2].any()
    assert context.sum(1).tolist()[:2] == [0, 1]
    assert context[2:].any(1).all()


def test_bad_blocks_are_refused():
    coords, valid = grid(4, 4)
    with pytest.raises(InputError, match="at least 1 block"):
        multi_block(coords, valid, blocks=0)
    with pytest.raises(InputError, match="above 0 and up to 1"):
        multi_block(coords, valid, scale=(0.0, 0.2))


def test_tubes_hide_the_same_places_at_all_times():
    torch.manual_seed(0)
    coords, valid = grid(5, 4, 4, batch=50)
    mask = tube_mask(coords, valid, 0.75).view(50, 5, 16)
    assert torch.equal(mask, mask[:, :1].expand_as(mask))
    assert (mask[:, 0].sum(1) == 12).all()
    assert len({tuple(m.tolist()) for m in mask[:, 0]}) > 40


def test_tubes_leave_padding_alone_and_need_two_axes():
    coords, valid = grid(3, 6, batch=2)
    valid = valid & torch.tensor([[True], [False]])
    assert not tube_mask(coords, valid, 0.5)[1].any()
    with pytest.raises(InputError, match="two axes"):
        tube_mask(*grid(6), 0.5)


def test_spans_are_as_many_as_asked_and_as_long():
    torch.manual_seed(0)
    coords, valid = grid(400, batch=100)
    mask = span_mask(coords, valid, 0.15)
    assert (mask.sum(1) == 60).all()
    starts = mask & ~torch.nn.functional.pad(mask, (1, 0))[:, :-1]
    mean = mask.sum() / starts.sum()
    alone = span_mask(coords, valid, 0.15, mean_length=1.0)
    single = alone & ~torch.nn.functional.pad(alone, (1, 0))[:, :-1]
    assert 3.0 < mean < 4.5  # geometric with 0.26 to end, cut at 10, some touching
    assert alone.sum() / single.sum() < 1.3


def test_spans_leave_padding_alone():
    coords, valid = grid(20, batch=3)
    valid = torch.arange(20) < torch.tensor([1, 2, 13])[:, None]
    mask = span_mask(coords, valid, 0.5)
    assert mask.sum(1).tolist() == [0, 1, 6]
    assert not (mask & ~valid).any()
    with pytest.raises(InputError, match="length of 1 or more"):
        span_mask(coords, valid, 0.5, mean_length=0.5)
