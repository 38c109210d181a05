"""Masks over tokens: counts, validity, visibility, and the shape of blocks, for one to three axes."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anyview.errors import InputError
from anyview.views.masks import block_mask, random_mask


def grid(*sides, batch=1):
    """Coordinates of a full grid and all its tokens valid."""
    coords = torch.tensor(list(itertools.product(*map(range, sides)))).float()
    return coords.expand(batch, -1, -1), torch.ones(batch, len(coords), dtype=torch.bool)


def wanted(valid, ratio):
    return [0 if n < 2 else min(max(1, round(ratio * n)), n - 1) for n in valid.sum(1).tolist()]


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=6),
    ratio=st.floats(0.01, 0.99),
    axes=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
@pytest.mark.parametrize("draw", [random_mask, block_mask])
def test_ragged_samples_keep_one_visible_and_hide_only_valid_tokens(draw, lengths, ratio, axes, seed):
    torch.manual_seed(seed)
    coords = torch.randint(0, 6, (len(lengths), 30, axes)).float()
    valid = torch.arange(30) < torch.tensor(lengths)[:, None]
    valid = valid.gather(1, torch.rand(valid.shape).argsort(1))  # holes anywhere, not only at the end
    mask = draw(coords, valid, ratio)
    assert not (mask & ~valid).any()
    for hidden, length in zip(mask.sum(1).tolist(), lengths):
        assert hidden == 0 if length < 2 else 1 <= hidden < length
    if draw is random_mask:
        assert mask.sum(1).tolist() == wanted(valid, ratio)


def test_random_mask_is_uniform_and_differs_between_samples():
    torch.manual_seed(0)
    coords, valid = grid(4, 4, batch=4000)
    mask = random_mask(coords, valid, 0.75)
    assert (mask.sum(1) == 12).all()
    assert (mask.float().mean(0) - 0.75).abs().max() < 0.03
    assert len(mask.unique(dim=0)) > 1000


@pytest.mark.parametrize("draw", [random_mask, block_mask])
def test_the_seed_repeats_a_mask(draw):
    coords, valid = grid(7, 5, batch=3)
    made = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        made.append(draw(coords, valid, 0.4))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


@pytest.mark.parametrize("sides", [(40,), (9, 12), (4, 6, 6)])
@pytest.mark.parametrize("ratio", [0.15, 0.5, 0.8])
def test_one_block_is_a_full_box_near_the_ratio(sides, ratio):
    torch.manual_seed(0)
    coords, valid = grid(*sides, batch=50)
    mask = block_mask(coords, valid, ratio, blocks=1)
    slack = valid.shape[1] / min(sides)  # the largest side that a box can gain or lose at once
    for sample in mask:
        hidden = coords[0][sample]
        extent = hidden.amax(0) - hidden.amin(0) + 1
        assert extent.prod() == len(hidden)
        assert abs(len(hidden) - ratio * valid.shape[1]) <= slack / 2 + 1
    assert len(mask.unique(dim=0)) > 3


def test_several_blocks_are_a_union_of_that_many_spans():
    torch.manual_seed(0)
    coords, valid = grid(200, batch=64)
    mask = block_mask(coords, valid, 0.3, blocks=4)
    spans = (mask[:, 1:] & ~mask[:, :-1]).sum(1) + mask[:, 0]
    assert spans.max() <= 4
    assert spans.float().mean() > 2  # they rarely all overlap
    assert (mask.sum(1) - 60).abs().max() <= 2


def test_blocks_hide_neighbours_more_often_than_chance():
    torch.manual_seed(0)
    coords, valid = grid(14, 14, batch=64)
    for draw, low, high in ((block_mask, 0.7, 1.0), (random_mask, 0.45, 0.55)):
        mask = draw(coords, valid, 0.5).view(64, 14, 14).float()
        both = (mask[:, 1:] * mask[:, :-1]).sum() / mask[:, 1:].sum()
        assert low < both < high
        assert abs(mask.mean() - 0.5) < 0.03


def test_masks_do_not_depend_on_the_order_of_tokens():
    """A block is where its coordinates are: shuffled tokens of a line are hidden in one interval."""
    torch.manual_seed(0)
    coords, valid = grid(60)
    shuffle = torch.randperm(60)
    mask = block_mask(coords[:, shuffle], valid, 0.4, blocks=1)
    hidden = coords[0, shuffle][mask[0]][:, 0].sort().values
    assert (hidden.diff() == 1).all()


@pytest.mark.parametrize("ratio", [0.0, 1.0, -0.2, float("nan")])
@pytest.mark.parametrize("draw", [random_mask, block_mask])
def test_a_ratio_out_of_range_is_named(draw, ratio):
    with pytest.raises(InputError, match="between 0 and 1"):
        draw(*grid(5), ratio)


def test_no_block_is_an_error():
    with pytest.raises(InputError, match="at least 1 block"):
        block_mask(*grid(5), 0.5, blocks=0)
