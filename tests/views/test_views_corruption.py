"""Group-masked corruption: how much, where, and by what."""

import pytest
import torch

from anyview.data.batch import Batch
from anyview.errors import InputError
from anyview.views.base import Views
from anyview.views.corruption import Corrupted, connected_blocks


class Same(Views):
    count = 2

    def __call__(self, batch):
        return [batch, batch]


def test_at_least_the_share_and_at_most_a_block_more():
    torch.manual_seed(0)
    share = torch.full((500,), 0.5)
    covered = connected_blocks(500, 10, 10, share, largest=0.3).sum((1, 2))
    assert covered.min() >= 50
    assert covered.max() < 50 + 9
    assert connected_blocks(3, 1, 1, torch.full((3,), 0.3)).all()


def test_blocks_are_connected():
    torch.manual_seed(0)
    covered = connected_blocks(200, 16, 16, torch.full((200,), 0.3))
    beside = covered[:, :, 1:] & covered[:, :, :-1]
    assert beside.sum() / covered.sum() > 0.6  # scattered cells would have 0.3


def test_only_altered_cells_change_and_donors_are_of_the_same_place():
    torch.manual_seed(0)
    x = torch.arange(16.0).view(16, 1, 1, 1) + torch.rand(16, 3, 16, 16) / 10
    before = x.clone()
    views = Corrupted(Same(), 4)(Batch(x, torch.arange(16)))
    assert len(views) == 4
    assert torch.equal(x, before)
    replaced = 0
    for view in views[2:]:
        cells = view.meta["altered"].view(16, 4, 4)
        pixels = cells.repeat_interleave(4, 1).repeat_interleave(4, 2)[:, None].expand_as(x)
        assert torch.equal(view.x[~pixels], x[~pixels])
        assert (view.x != x)[pixels].all()
        for i in range(16):
            for j in range(16):
                if j != i and torch.equal(view.x[i][pixels[i]], x[j][pixels[i]]):
                    replaced += 1
                    assert 0.3 <= cells[i].float().mean() <= 0.4
    assert 5 < replaced < 27


def test_a_share_of_all_is_refused():
    with pytest.raises(InputError, match="drop is 1"):
        Corrupted(Same(), 4, drop=1.0)
