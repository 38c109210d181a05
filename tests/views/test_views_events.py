"""Views of histories: slices that are contiguous and fair, events that stay in order, hidden fields."""

import pytest
import torch

from anyview.data.batch import Batch, Ragged
from anyview.data.table.columns import MISSING
from anyview.errors import InputError
from anyview.views.events import (
    EventViews,
    keep_events,
    multi_crop,
    multi_view,
    plain_view,
    random_events,
    random_slices,
    two_views,
)

SPEC: dict = {}


def batch(lengths=(1, 2, 3, 40, 7, 200)) -> Batch:
    """Every event knows whose it is and which place it has."""
    length = torch.tensor(lengths)
    place = torch.cat([torch.arange(n) for n in lengths]).float()
    owner = torch.arange(len(lengths)).repeat_interleave(length)
    numeric = torch.stack([place, owner.float()], 1)
    categorical = torch.stack([owner, owner + 1], 1) + 2
    x = {
        "time": Ragged(place * 2, length),
        "numeric": Ragged(numeric, length),
        "categorical": Ragged(categorical, length),
    }
    return Batch(x, torch.arange(len(lengths)))


def test_a_view_is_a_slice_of_each_history_in_order() -> None:
    b = batch()
    for _ in range(30):
        for view in two_views(SPEC, shortest=3, longest=20, drop=0.3)(b):
            meta, numeric = view.meta, view.x["numeric"].unpack()
            kept = meta["kept"].unpack()
            for i, values in enumerate(numeric):
                expected = meta["first"][i] + torch.arange(int(meta["count"][i]))[kept[i]]
                assert torch.equal(values[:, 0], expected.float())
                assert (values[:, 1] == i).all()
                assert (view.x["categorical"].unpack()[i][:, 0] == i + 2).all()
                torch.testing.assert_close(view.x["time"].unpack()[i], expected.float() * 2)
                assert len(values) >= 1
            assert (meta["count"] <= 20).all()


def test_lengths_and_places_of_slices_are_fair() -> None:
    length = torch.full((20_000,), 10)
    first, count = random_slices(length, 3, 6)
    share = torch.bincount(count, minlength=11).double() / len(length)
    assert (share[3:7] - 0.25).abs().max() < 0.02
    assert share[:3].sum() == share[7:].sum() == 0
    where = torch.bincount(first[count == 4], minlength=7).double()
    assert (where / where.sum() - 1 / 7).abs().max() < 0.02
    assert (first + count <= 10).all()


def test_short_histories_give_half_of_themselves_or_more() -> None:
    length = torch.tensor([1, 2, 3, 5]).repeat(500)
    _, count = random_slices(length, 16, 96)
    assert ((count >= (length + 1) // 2) & (count <= length)).all()
    assert set(count[length == 5].tolist()) == {3, 4, 5}


def test_events_are_dropped_at_the_rate_asked_for() -> None:
    length = torch.tensor([1] * 1000 + [100] * 100)
    kept = random_events(length, 0.3)
    assert kept[:1000].all()  # one event at least stays
    assert abs(kept[1000:].float().mean() - 0.7) < 0.02


def test_hidden_fields_are_missing() -> None:
    (view,) = EventViews([(300, 300)], 0.0, 0.5)(batch((400, 500)))
    hidden = view.meta["hidden"].values
    assert torch.equal(view.x["numeric"].values.isnan(), hidden[:, :2])
    assert torch.equal(view.x["categorical"].values == MISSING, hidden[:, 2:])
    assert abs(hidden.float().mean() - 0.5) < 0.05
    assert view.x["time"].values.isfinite().all()


def test_leaves_share_their_lengths() -> None:
    b = batch()
    x = keep_events(b.x, torch.rand(len(b.x["time"].values)) < 0.5)
    assert torch.equal(x["time"].length, x["numeric"].length)
    assert int(x["time"].length.sum()) == len(x["categorical"].values)


def test_the_source_is_not_changed() -> None:
    b = batch()
    before = {k: v.values.clone() for k, v in b.x.items()}
    multi_view(SPEC, hide=0.5)(b)
    assert all(torch.equal(b.x[k].values, v) for k, v in before.items())


def test_counts_of_views() -> None:
    b = batch((400,) * 8)
    assert len(multi_view(SPEC, count=3)(b)) == 3
    views = multi_crop(SPEC, drop=0.0)(b)
    assert len(views) == 6
    assert all((v.x["time"].length >= 32).all() for v in views[:2])
    assert all((v.x["time"].length <= 32).all() for v in views[2:])
    (view,) = plain_view(SPEC)(b)
    assert ((view.x["time"].length >= 64) & (view.x["time"].length <= 128)).all()


def test_views_cut_with_their_batch() -> None:
    view = two_views(SPEC)(batch())[0]
    part = view[torch.tensor([4, 1])]
    assert torch.equal(part.meta["kept"].length, part.meta["count"])
    assert (part.x["numeric"].unpack()[0][:, 1] == 4).all()


def test_the_seed_repeats_views() -> None:
    b, made = batch(), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(two_views(SPEC)(b)[0].x["numeric"].values)
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_wrong_options_are_one_line() -> None:
    with pytest.raises(InputError, match="1 event or more, not 9 to 3"):
        two_views(SPEC, shortest=9, longest=3)
    with pytest.raises(InputError, match="between 0 and 1, not at 1"):
        two_views(SPEC, drop=1.0)
    with pytest.raises(InputError, match="at least 1"):
        multi_view(SPEC, count=0)
