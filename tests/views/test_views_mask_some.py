"""Blocks in some samples, of a share drawn for each (iBOT)."""

import pytest
import torch

from anyview.encoders.positions import grid
from anyview.errors import InputError
from anyview.views.masks import block_mask, some_blocks

COORDS = grid((14, 14)).expand(400, -1, -1)
VALID = torch.ones(400, 196, dtype=torch.bool)


def test_half_of_the_samples_hide_shares_from_a_tenth_to_a_half():
    hidden = some_blocks(COORDS, VALID).sum(1)
    whole = hidden == 0
    assert whole.float().mean() == pytest.approx(0.5, abs=0.1)
    share = hidden[~whole] / 196
    assert share.min() > 0.05
    assert share.max() < 0.56
    assert share.mean() == pytest.approx(0.3, abs=0.03)
    assert share.std() == pytest.approx(0.4 / 12**0.5, abs=0.03)  # of a uniform distribution
    assert some_blocks(COORDS, VALID, chance=1.0).any(1).all()
    assert not some_blocks(COORDS, VALID, chance=0.0).any()


def test_a_share_of_each_sample_is_that_of_all_when_equal():
    torch.manual_seed(3)
    one = block_mask(COORDS, VALID, 0.25)
    torch.manual_seed(3)
    assert torch.equal(block_mask(COORDS, VALID, torch.full((400,), 0.25)), one)


def test_padding_is_never_hidden_and_something_stays():
    valid = torch.arange(196) < torch.randint(2, 197, (400, 1))
    mask = some_blocks(COORDS, valid, chance=1.0)
    assert not (mask & ~valid).any()
    assert (valid & ~mask).any(1).all()


@pytest.mark.parametrize("ratio", [(0.0, 0.5), (0.5, 0.4), (0.1, 1.0)])
def test_bad_shares(ratio):
    with pytest.raises(InputError, match="in order"):
        some_blocks(COORDS, VALID, ratio)
    with pytest.raises(InputError, match="chance"):
        some_blocks(COORDS, VALID, chance=1.5)
