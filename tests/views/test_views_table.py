"""Views of rows: what is corrupted comes from the same column, what is hidden is missing."""

import pytest
import torch

from anyview.data.batch import Batch
from anyview.data.table.columns import MISSING
from anyview.errors import InputError
from anyview.views.table import TableViews, multi_crop, multi_view, plain_view, random_cells, two_views

SPEC: dict = {}


def batch(n: int = 64) -> Batch:
    """Every cell of a column lies in a range of its own."""
    numeric = torch.rand(n, 4) + torch.arange(4) * 10
    categorical = torch.randint(2, 5, (n, 3)) + torch.arange(3) * 10
    return Batch({"numeric": numeric, "categorical": categorical}, torch.arange(n), torch.arange(n) % 2)


def test_corrupted_cells_take_values_of_their_column_and_others_stay() -> None:
    b = batch()
    for _ in range(20):
        plain, view = two_views(SPEC)(b)
        assert torch.equal(plain.x["numeric"], b.x["numeric"])
        changed = torch.cat([view.x[k] != b.x[k] for k in ("numeric", "categorical")], 1)
        corrupted = view.meta["corrupted"]
        assert not (changed & ~corrupted).any()
        assert changed[corrupted].float().mean() > 0.5
        assert (corrupted.sum(1) == round(0.6 * 7)).all()
        assert torch.equal(view.x["numeric"].floor(), (torch.arange(4) * 10.0).expand(64, -1))
        assert torch.equal(view.x["categorical"] // 10, torch.arange(3).expand(64, -1))


def test_each_cell_draws_from_a_row_of_its_own() -> None:
    n = 512
    x = {"numeric": torch.arange(n).float()[:, None].expand(-1, 2), "categorical": torch.zeros(n, 0).long()}
    view = TableViews([(1.0, 0.0, 1)])(Batch(x, torch.arange(n)))[0].x["numeric"]
    assert (view[:, 0] != view[:, 1]).float().mean() > 0.95
    assert len(view[:, 0].unique()) > 0.5 * n


def test_hidden_cells_are_missing() -> None:
    b = batch()
    (view,) = multi_view(SPEC, count=1, corruption=0.0, hidden=0.5)(b)
    hidden = view.meta["hidden"]
    assert torch.equal(view.x["numeric"].isnan(), hidden[:, :4])
    assert torch.equal(view.x["categorical"] == MISSING, hidden[:, 4:])
    assert (hidden.sum(1) == round(0.5 * 7)).all()
    assert not torch.equal(hidden[0], hidden[1]) or not torch.equal(hidden[0], hidden[2])


def test_every_cell_is_as_likely() -> None:
    chosen = random_cells(4000, 5, 0.4, torch.device("cpu")).float().mean(0)
    assert (chosen - 0.4).abs().max() < 0.04


def test_counts_of_views() -> None:
    b = batch(8)
    assert len(multi_view(SPEC, count=3)(b)) == 3
    views = multi_crop(SPEC)(b)
    assert len(views) == 6
    assert views[0].x["numeric"].isnan().sum() < views[5].x["numeric"].isnan().sum()
    (same,) = plain_view(SPEC)(b)
    assert torch.equal(same.x["numeric"], b.x["numeric"])


def test_the_seed_repeats_views() -> None:
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(two_views(SPEC)(BATCH)[1].x["numeric"])
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


BATCH = batch(16)


def test_wrong_options_are_one_line() -> None:
    with pytest.raises(InputError, match=r"between 0 and 1, not at 1.5"):
        two_views(SPEC, corruption=1.5)
    with pytest.raises(InputError, match="at least 1"):
        multi_view(SPEC, count=0)
