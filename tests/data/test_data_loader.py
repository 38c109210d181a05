import itertools

import numpy as np
import pytest
import torch

from anyview.data import Loader, MemorySource, StreamSource, batches
from anyview.data.batch import Ragged
from anyview.data.source import Dataset, UnreadableError
from anyview.errors import InputError


def memory(count=50):
    x = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, 1, 4, 4).contiguous()
    return MemorySource("image", {"shape": [1, 4, 4]}, x, torch.arange(count) % 5, [*"abcde"])


def decode(i):
    if i == 13:
        raise UnreadableError("unlucky")
    return torch.full((1, 4, 4), i, dtype=torch.uint8)


def where(i):
    return f"item {i}"


def stream(count=50, items=None):
    items = list(range(count)) if items is None else items
    return StreamSource("image", {}, items, decode, where, torch.arange(len(items)) % 5)


def first(loader, count):
    return [b.index.tolist() for b in itertools.islice(loader, count)]


def test_every_sample_once_an_epoch_but_for_the_partial_batch():
    loader = Loader(memory(50), 8, seed=3)
    assert loader.steps_per_epoch == 6
    epochs = [list(itertools.chain(*first(loader, 6))) for _ in range(3)]
    assert all(len(set(e)) == 48 for e in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert sorted(itertools.chain(*first(Loader(memory(48), 8), 6))) == list(range(48))


def test_batches_are_what_their_index_says():
    batch = next(Loader(memory(), 8))
    assert torch.equal(batch.x[:, 0, 0, 0].long(), batch.index)
    assert torch.equal(batch.label, batch.index % 5)


@pytest.mark.parametrize("source", [memory, stream])
def test_resume_equals_skipping(source):
    whole = first(Loader(source(), 8, seed=1, workers=0), 20)
    for k in (0, 1, 5, 6, 13):
        assert first(Loader(source(), 8, seed=1, start_step=k, workers=0), 20 - k) == whole[k:]
    assert first(Loader(source(), 8, seed=2, workers=0), 20) != whole


@pytest.mark.parametrize("count", [50, 7])
def test_ranks_share_the_global_batch_in_order(count):
    whole = Loader(memory(count), 12 if count == 50 else 6, seed=4)
    parts = [Loader(memory(count), 12 if count == 50 else 6, seed=4, rank=r, world_size=3) for r in range(3)]
    for _ in range(10):
        together = torch.cat([next(p).index for p in parts])
        assert torch.equal(together, next(whole).index)


def test_small_sets_give_one_batch_an_epoch():
    loader = Loader(memory(5), 64)
    assert (loader.steps_per_epoch, loader.batch_size) == (1, 5)
    assert [sorted(b) for b in first(loader, 3)] == [[0, 1, 2, 3, 4]] * 3
    assert len(next(Loader(memory(5), 64, world_size=2, rank=1))) == 2
    assert first(Loader(memory(1), 8), 2) == [[0], [0]]


def test_bad_batches_say_why():
    with pytest.raises(InputError, match="cannot be shared equally by 3 processes"):
        Loader(memory(), 8, world_size=3)
    with pytest.raises(InputError, match="batch size is 0"):
        Loader(memory(), 0)
    with pytest.raises(InputError, match="no samples"):
        Loader(memory().take(torch.tensor([], dtype=torch.int64)), 8)


def test_workers_give_the_same_batches_and_report_what_they_skip():
    state = torch.get_rng_state()
    source = stream()
    loader = Loader(source, 8, seed=1, workers=2, start_step=2)
    plain = Loader(stream(), 8, seed=1, workers=0, start_step=2)
    for _ in range(7):
        a, b = next(loader), next(plain)
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.index, b.index)
        assert torch.equal(a.label, b.label)
    assert loader.wait_seconds > 0
    loader.close()
    assert torch.equal(torch.get_rng_state(), state)  # views draw from the global generator: it is left alone
    assert source.skipped == [("item 13", "unlucky")]


@pytest.mark.parametrize("source", [memory(), stream()])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_go_through_all_in_order(source, workers):
    got = list(batches(source, 16, workers))
    assert [len(b) for b in got] == [16, 16, 16, 2]
    index = torch.cat([b.index for b in got])
    wanted = torch.arange(50)
    if not source.in_memory:
        wanted[13] = 14  # 13 cannot be read; the next one stands in for it and says so
    assert torch.equal(index, wanted)
    assert torch.equal(torch.cat([b.x for b in got])[:, 0, 0, 0].long(), wanted)


@pytest.mark.parametrize("source", [memory(), stream()])
def test_take_counts_from_zero_and_nests(source):
    part = source.take(torch.tensor([40, 20, 30])).take(torch.tensor([2, 0]))
    assert len(part) == 2
    batch = part.fetch(torch.tensor([0, 1]))
    assert batch.x[:, 0, 0, 0].tolist() == [30, 40]
    assert batch.index.tolist() == [0, 1]
    assert len(source) == 50


def test_a_substitute_comes_from_the_same_subset():
    part = stream().take(torch.tensor([13, 2]))
    assert part.fetch(torch.tensor([0])).x.flatten()[0] == 2


def test_validation_is_cut_by_class_and_disjoint():
    label = torch.tensor([0] * 60 + [1] * 30 + [2] * 9 + [3])
    source = MemorySource("image", {}, torch.zeros(100, 1, 2, 2, dtype=torch.uint8), label)
    source._payload[:, 0, 0, 0] = torch.arange(100)
    cut = Dataset("d", "image", {"train": source}).with_validation(0.2, seed=1)
    train, held = cut.train, cut.split("validation")
    seen = [s.fetch(torch.arange(len(s))).x[:, 0, 0, 0].tolist() for s in (train, held)]
    assert sorted(seen[0] + seen[1]) == list(range(100))
    counts = held.label.bincount(minlength=4)
    assert abs(counts - torch.tensor([12, 6, 2, 0])).max() <= 1
    assert 3 in train.label
    again = Dataset("d", "image", {"train": source}).with_validation(0.2, seed=1)
    assert torch.equal(again.split("validation")._rows, held._rows)
    assert cut.with_validation() is cut
    with pytest.raises(InputError, match="between 0 and 1"):
        Dataset("d", "image", {"train": source}).with_validation(1.5)


def test_validation_of_few_and_of_unlabelled():
    two = MemorySource("image", {}, torch.zeros(2, 1, 2, 2))
    cut = Dataset("d", "image", {"train": two}).with_validation(0.1)
    assert (len(cut.train), len(cut.split("validation"))) == (1, 1)
    big = MemorySource("image", {}, torch.zeros(1000, 1, 2, 2))
    assert len(Dataset("d", "image", {"train": big}).with_validation(0.1).split("validation")) == 100


def test_seed_is_any_integer():
    draws = {tuple(next(Loader(memory(), 50, seed=s)).index.tolist()) for s in (-1, 0, 1, 2**40)}
    assert len(draws) == 4
    assert np.all([sorted(d) == list(range(50)) for d in draws])


def test_samples_of_similar_length_come_together_the_longest_first():
    length = torch.randint(1, 50, (40,), generator=torch.Generator().manual_seed(0))
    held = MemorySource("series", {}, Ragged(torch.arange(int(length.sum())).float()[:, None], length))
    for source in (held, held.take(torch.arange(3, 30))):
        known = source.lengths()
        found = list(batches(source, 8, alike=True))
        order = torch.cat([b.index for b in found])
        assert sorted(order.tolist()) == list(range(len(source)))
        assert (known[order].diff() <= 0).all()
        for b in found:
            assert torch.equal(b.x.length, known[b.index])
            assert torch.equal(b.x.values, source.fetch(b.index).x.values)
    assert torch.equal(torch.cat([b.index for b in batches(held, 8)]), torch.arange(40))


def test_lengths_of_pairs_are_those_of_both_and_of_one_size_none():
    first, second = (Ragged.of([torch.zeros(n) for n in sizes]) for sizes in ([3, 1], [2, 9]))
    assert MemorySource("text", {}, {"first": first, "second": second}).lengths().tolist() == [5, 10]
    assert MemorySource("image", {}, torch.zeros(2, 3, 4, 4)).lengths() is None
