"""Views of histories: slices of them, without some events, with some fields hidden."""

from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from anyview.data.batch import Batch, Ragged
from anyview.data.table.columns import MISSING
from anyview.errors import InputError
from anyview.views.base import Views

Histories = dict[str, Ragged]  # time (events,), numeric (events, k), categorical (events, m)


class EventViews(Views):
    """Views of histories: a random slice of each, from which events are dropped and fields hidden.

    ``meta`` has ``first`` and ``count`` of each slice, in events, ``kept``, Ragged bool over the events of the
    slice, and ``hidden``, Ragged bool ``(events, fields)`` over those that are left, numeric fields first.

    Args:
        slices: ``(shortest, longest)`` of each view, in events; see ``random_slices``.
        drop: share of the events of a slice to leave out; one at least stays.
        hide: share of the fields of events that are missing.
    """

    def __init__(self, slices: list[tuple[int, int]], drop: float, hide: float) -> None:
        self.slices, self.count, self.drop, self.hide = slices, len(slices), drop, hide
        if self.count < 1:
            raise InputError("views of histories need a count of at least 1")
        wrong = [pair for pair in slices if not 1 <= pair[0] <= pair[1]]
        if wrong:
            raise InputError(f"a slice has 1 event or more, not {wrong[0][0]} to {wrong[0][1]}")
        if not 0 <= drop < 1 or not 0 <= hide < 1:
            raise InputError(f"shares lie between 0 and 1, not at {hide if 0 <= drop < 1 else drop:g}")

    def __call__(self, batch: Batch) -> list[Batch]:
        return [self.view(batch, *lengths) for lengths in self.slices]

    def view(self, batch: Batch, shortest: int, longest: int) -> Batch:
        length = batch.x["time"].length
        first, count = random_slices(length, shortest, longest)
        place = within(length)
        own = first.repeat_interleave(length)
        x = keep_events(batch.x, (place >= own) & (place < own + count.repeat_interleave(length)))
        kept = random_events(count, self.drop)
        x = keep_events(x, kept)
        numeric, categorical = x["numeric"], x["categorical"]
        k = numeric.values.shape[1]
        fields = k + categorical.values.shape[1]
        hidden = torch.rand(len(numeric.values), fields, device=length.device) < self.hide
        x["numeric"] = Ragged(numeric.values.masked_fill(hidden[:, :k], torch.nan), numeric.length)
        x["categorical"] = Ragged(categorical.values.masked_fill(hidden[:, k:], MISSING), numeric.length)
        return batch.with_x(
            x, first=first, count=count, kept=Ragged(kept, count), hidden=Ragged(hidden, numeric.length)
        )


def within(length: Tensor) -> Tensor:
    """The place of every event in its history, from 0."""
    starts = length.cumsum(0) - length
    return torch.arange(int(length.sum()), device=length.device) - starts.repeat_interleave(length)


def random_slices(length: Tensor, shortest: int, longest: int) -> tuple[Tensor, Tensor]:
    """First event and number of events of a random slice of each history (CoLES, arXiv:2002.08232,
    algorithm 1): the number is uniform from ``shortest`` (half the history, where that is less) to ``longest``
    (or all of it), and the slice lies anywhere with equal chance."""
    most = length.clamp(max=longest)
    least = torch.minimum((length + 1) // 2, most.clamp(max=shortest))
    draw = torch.rand(2, len(length), device=length.device)
    count = torch.minimum(least + (draw[0] * (most - least + 1)).long(), most)
    first = torch.minimum((draw[1] * (length - count + 1)).long(), length - count)
    return first, count


def random_events(length: Tensor, drop: float) -> Bool[Tensor, "events"]:
    """Every event stays with chance ``1 - drop``, and at least one of each history does."""
    kept = torch.rand(int(length.sum()), device=length.device) >= drop
    safe = torch.minimum((torch.rand(len(length), device=length.device) * length).long(), length - 1)
    kept[length.cumsum(0) - length + safe] = True
    return kept


def keep_events(x: Histories, keep: Bool[Tensor, "events"]) -> Histories:
    """Only the events in ``keep``, in order."""
    length = x["time"].length
    owner = torch.arange(len(length), device=length.device).repeat_interleave(length)
    left = torch.zeros_like(length).index_add_(0, owner, keep.long())
    return {name: Ragged(leaf.values[keep], left) for name, leaf in x.items()}


def two_views(
    spec: dict[str, Any], *, shortest: int = 16, longest: int = 96, drop: float = 0.1, hide: float = 0.0
) -> EventViews:
    """Two random slices of each history, as CoLES (arXiv:2002.08232, section 3.3).

    Args:
        spec: what the histories are like.
        shortest: events in the shortest slice; half of a shorter history.
        longest: events in the longest slice.
        drop: share of the events of a slice to leave out.
        hide: share of the fields of events that are missing.
    """
    return EventViews([(shortest, longest)] * 2, drop, hide)


def multi_view(
    spec: dict[str, Any],
    *,
    count: int = 4,
    shortest: int = 16,
    longest: int = 96,
    drop: float = 0.1,
    hide: float = 0.0,
) -> EventViews:
    """Any number of random slices of each history.

    Args:
        spec: what the histories are like.
        count: number of views.
        shortest: events in the shortest slice; half of a shorter history.
        longest: events in the longest slice.
        drop: share of the events of a slice to leave out.
        hide: share of the fields of events that are missing.
    """
    return EventViews([(shortest, longest)] * count, drop, hide)


def multi_crop(
    spec: dict[str, Any],
    *,
    global_count: int = 2,
    local_count: int = 4,
    global_longest: int = 128,
    local_longest: int = 32,
    shortest: int = 8,
    drop: float = 0.1,
    hide: float = 0.0,
) -> EventViews:
    """A few long slices of each history and several short ones.

    Args:
        spec: what the histories are like.
        global_count: number of long slices, which come first.
        local_count: number of short slices.
        global_longest: events in the longest of the long slices; the shortest have as many as the longest
            short slices.
        local_longest: events in the longest of the short slices.
        shortest: events in the shortest slice; half of a shorter history.
        drop: share of the events of a slice to leave out.
        hide: share of the fields of events that are missing.
    """
    slices = [(local_longest, global_longest)] * global_count + [(shortest, local_longest)] * local_count
    return EventViews(slices, drop, hide)


def plain_view(spec: dict[str, Any], *, shortest: int = 64, longest: int = 128) -> EventViews:
    """One random slice of each history with all that is in it, for masked methods.

    Args:
        spec: what the histories are like.
        shortest: events in the shortest slice; half of a shorter history.
        longest: events in the longest slice.
    """
    return EventViews([(shortest, longest)], 0.0, 0.0)
