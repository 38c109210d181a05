"""Views of text are spans of it, in order, of the lengths and shares that were asked for."""

import pytest
import torch

from anyview.data.batch import Batch, Ragged
from anyview.errors import InputError
from anyview.views.text import TextPipeline, multi_crop, multi_view, plain_view, two_views

SPEC = {"mask": 2}


def batch(lengths: list[int]) -> Batch:
    """Texts whose tokens all differ, so that a view tells where it is from."""
    length = torch.tensor(lengths)
    return Batch(Ragged(torch.arange(10, 10 + int(length.sum())), length), torch.arange(len(lengths)))


LENGTHS = [1, 2, 3, 7, 20, 64, 5, 1, 33] * 20


def test_a_view_is_a_span_of_its_text() -> None:
    torch.manual_seed(0)
    given = batch(LENGTHS)
    for view in multi_view(SPEC, count=3, delete=0.0, crop=(0.4, 0.8))(given):
        for text, part in zip(given.x.unpack(), view.x.unpack()):
            first = int(part[0] - text[0])
            assert torch.equal(part, text[first : first + len(part)])
            assert max(1, round(0.4 * len(text) - 0.5)) <= len(part) <= max(1, round(0.8 * len(text) + 0.5))


def test_spans_lie_anywhere_with_equal_chance() -> None:
    torch.manual_seed(0)
    size, start = TextPipeline(crop=(0.5, 0.5)).span(torch.full((20_000,), 10))
    assert set(size.tolist()) == {5}
    share = torch.bincount(start, minlength=6) / 20_000
    assert len(share) == 6
    assert (share - 1 / 6).abs().max() < 0.02


def test_deletion_keeps_order_the_share_and_at_least_one() -> None:
    torch.manual_seed(0)
    given = batch(LENGTHS)
    (view, _) = two_views(SPEC, crop=(1.0, 1.0), delete=0.3)(given)
    assert view.x.length.min() == 1
    for text, part in zip(given.x.unpack(), view.x.unpack()):
        assert (part.diff() > 0).all()
        assert text[0] <= part[0]
        assert part[-1] <= text[-1]
    long = batch([1000] * 50)
    assert (
        abs(float(two_views(SPEC, crop=(1.0, 1.0), delete=0.3)(long)[0].x.length.sum()) / 50_000 - 0.7) < 0.02
    )


def test_neighbours_are_shuffled_within_reach_and_nothing_is_lost() -> None:
    torch.manual_seed(0)
    given = batch(LENGTHS)
    view = two_views(SPEC, crop=(1.0, 1.0), delete=0.0, shuffle=3)(given)[0]
    assert torch.equal(view.x.length, given.x.length)
    moved = 0
    for text, part in zip(given.x.unpack(), view.x.unpack()):
        assert torch.equal(part.sort().values, text)
        distance = (part - text).abs()
        moved += int(distance.sum())
        assert distance.max() <= 3
    assert moved > len(LENGTHS)


def test_masking_takes_its_share_and_meta_makes_the_view_again() -> None:
    torch.manual_seed(0)
    given = batch([50] * 200)
    view = two_views(SPEC, mask=0.2, shuffle=2)(given)[1]
    assert abs((view.x.values == 2).float().mean() - 0.2) < 0.03
    place, masked = view.meta["place"], view.meta["masked"]
    for text, at, hidden, part in zip(given.x.unpack(), place.unpack(), masked.unpack(), view.x.unpack()):
        assert torch.equal(part, text[at].masked_fill(hidden.bool(), 2))


def test_without_changes_both_views_are_the_text() -> None:
    given = batch(LENGTHS)
    for view in two_views(SPEC, crop=(1.0, 1.0), delete=0.0)(given):
        assert torch.equal(view.x.values, given.x.values)
        assert torch.equal(view.x.length, given.x.length)


def test_views_are_drawn_per_sample_and_repeatable() -> None:
    given = batch([30] * 100)
    torch.manual_seed(1)
    first = two_views(SPEC)(given)
    torch.manual_seed(1)
    again = two_views(SPEC)(given)
    assert torch.equal(first[0].x.values, again[0].x.values)
    assert len(first[0].x.length.unique()) > 5
    assert not torch.equal(first[0].x.length, first[1].x.length)
    assert torch.equal(given.x.values, batch([30] * 100).x.values)


def test_multi_crop_gives_long_spans_first_and_length_limits_all() -> None:
    torch.manual_seed(0)
    views = multi_crop(SPEC, delete=0.0)(batch([100] * 50))
    lengths = [view.x.length.float().mean() for view in views]
    assert len(views) == 6
    assert min(lengths[:2]) > 60
    assert max(lengths[2:]) < 45
    assert plain_view(SPEC, length=8)(batch([100, 3]))[0].x.length.tolist() == [8, 3]


@pytest.mark.parametrize(
    "options", [{"crop": (0.0, 1.0)}, {"crop": (0.9, 0.5)}, {"delete": 1.0}, {"mask": -0.1}, {"length": 0}]
)
def test_values_that_cannot_be_are_refused(options) -> None:
    with pytest.raises(InputError):
        two_views(SPEC, **options)


def test_pairs_are_refused() -> None:
    x = batch([3, 4]).x
    with pytest.raises(InputError, match="pairs"):
        two_views(SPEC)(Batch({"first": x, "second": x}, torch.arange(2)))
