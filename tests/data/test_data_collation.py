"""Packing, padding, picking and putting together, for whatever lengths and types hypothesis thinks of."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anyview.data.batch import Batch, Ragged, payload_cat, payload_len
from anyview.data.source import MemorySource

TYPES = (torch.float32, torch.float64, torch.float16, torch.int64, torch.int16, torch.uint8, torch.bool)
lengths = st.lists(st.integers(0, 7), min_size=1, max_size=8)
steps = st.sampled_from([(), (3,), (2, 2), (0,)])
types = st.sampled_from(TYPES)


def samples(length: list[int], step: tuple[int, ...], kind: torch.dtype) -> list[torch.Tensor]:
    """Samples that are all different, as far as their type allows."""
    whole = torch.arange(1, 1 + sum(length) * max(1, torch.Size(step).numel())).to(kind)
    whole = whole[: sum(length) * torch.Size(step).numel()].view(sum(length), *step)
    return list(whole.split(length))


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return len(a) == len(b) and all(x.dtype == y.dtype and torch.equal(x, y) for x, y in zip(a, b))


@settings(max_examples=60, deadline=None)
@given(lengths, steps, types)
def test_packing_is_undone_by_unpacking_and_by_the_mask_of_padding(length, step, kind) -> None:
    given_ = samples(length, step, kind)
    packed = Ragged.of(given_)
    assert packed.length.tolist() == length
    assert same(packed.unpack(), given_)
    padded, valid = packed.padded()
    assert padded.shape == (len(length), max(length), *step)
    assert valid.sum(1).tolist() == length
    assert same([row[kept] for row, kept in zip(padded, valid)], given_)
    assert not padded[~valid].any()
    assert same([packed.values], [padded[valid]])


@settings(max_examples=60, deadline=None)
@given(lengths, steps, types, st.data())
def test_picking_is_that_of_a_list(length, step, kind, data) -> None:
    given_ = samples(length, step, kind)
    places = data.draw(st.lists(st.integers(0, len(length) - 1), max_size=9))
    picked = Ragged.of(given_)[torch.tensor(places, dtype=torch.int64)]
    assert same(picked.unpack(), [given_[i] for i in places])
    chosen = torch.tensor(data.draw(st.lists(st.booleans(), min_size=len(length), max_size=len(length))))
    assert same(Ragged.of(given_)[chosen].unpack(), [x for x, kept in zip(given_, chosen) if kept])
    cut = data.draw(st.slices(len(length)).filter(lambda s: s.step is None or s.step > 0))
    assert same(Ragged.of(given_)[cut].unpack(), given_[cut])


@settings(max_examples=60, deadline=None)
@given(lengths, steps, types, st.integers(1, 9))
def test_a_batch_that_is_split_and_put_together_is_the_same(length, step, kind, size) -> None:
    ragged, count = Ragged.of(samples(length, step, kind)), len(length)
    payload = {"a": ragged, "b": {"c": torch.arange(count).to(kind)}}
    batch = Batch(payload, torch.arange(count) * 3, torch.arange(count) % 2, {"m": ragged, "none": None})
    parts = batch.split(size)
    assert [len(part) for part in parts] == [min(size, count - i) for i in range(0, count, size)]
    assert [payload_len(part.x) for part in parts] == [len(part) for part in parts]
    whole = Batch.cat(parts)
    assert same([whole.index, whole.label], [batch.index, batch.label])
    assert same(whole.x["a"].unpack(), ragged.unpack())
    assert same([whole.x["b"]["c"]], [payload["b"]["c"]])
    assert same(whole.meta["m"].unpack(), ragged.unpack())


@settings(max_examples=60, deadline=None)
@given(st.lists(lengths, min_size=1, max_size=4), steps, types)
def test_putting_together_keeps_the_order(many, step, kind) -> None:
    given_ = [samples(length, step, kind) for length in many]
    whole = payload_cat([{"x": Ragged.of(part)} for part in given_])
    assert same(whole["x"].unpack(), [x for part in given_ for x in part])


@settings(max_examples=60, deadline=None)
@given(lengths, st.data())
def test_a_source_gives_what_is_asked_for_whatever_was_taken_of_it(length, data) -> None:
    given_ = samples(length, (), torch.int64)
    label = torch.arange(len(length)) * 10
    source = MemorySource("text", {}, Ragged.of(given_), label)
    held = list(range(len(length)))
    for _ in range(data.draw(st.integers(0, 3))):
        taken = data.draw(st.lists(st.integers(0, len(held) - 1), min_size=1, max_size=6)) if held else []
        source, held = source.take(torch.tensor(taken, dtype=torch.int64)), [held[i] for i in taken]
    asked = data.draw(st.lists(st.integers(0, len(held) - 1), max_size=6))
    batch = source.fetch(torch.tensor(asked, dtype=torch.int64))
    assert batch.index.tolist() == asked
    assert batch.label.tolist() == [10 * held[i] for i in asked]
    assert same(batch.x.unpack(), [given_[held[i]] for i in asked])
