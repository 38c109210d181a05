import pytest
import torch

from anyview.data import Batch, Ragged
from anyview.data.batch import Leaf


def ragged():
    return Ragged.of([torch.arange(n, dtype=torch.float32)[:, None] + 10 * n for n in (3, 1, 4)])


def test_ragged_unpacks_what_was_packed():
    r = ragged()
    assert len(r) == 3
    assert r.length.tolist() == [3, 1, 4]
    assert r.starts.tolist() == [0, 3, 4]
    assert [len(s) for s in r.unpack()] == [3, 1, 4]
    assert r.unpack()[2][:, 0].tolist() == [40, 41, 42, 43]


@pytest.mark.parametrize("index", [torch.tensor([2, 0, 2]), torch.tensor([True, False, True]), slice(1, 3)])
def test_ragged_index_equals_index_of_the_list(index):
    r, samples = ragged(), ragged().unpack()
    if isinstance(index, slice):
        wanted = samples[index]
    elif index.dtype == torch.bool:
        wanted = [s for s, keep in zip(samples, index) if keep]
    else:
        wanted = [samples[i] for i in index]
    got = r[index].unpack()
    assert len(got) == len(wanted)
    assert all(torch.equal(a, b) for a, b in zip(got, wanted))


def test_ragged_of_nothing():
    r = ragged()[torch.tensor([], dtype=torch.int64)]
    assert len(r) == 0
    assert r.padded()[0].shape == (0, 0, 1)


def test_ragged_padded_marks_what_is_real():
    values, valid = ragged().padded(fill=-1.0)
    assert values.shape == (3, 4, 1)
    assert valid.sum(1).tolist() == [3, 1, 4]
    assert (values[~valid] == -1).all()
    assert torch.equal(values[valid], ragged().values)


def test_ragged_casts_values_not_lengths():
    r = ragged().to(torch.float64)
    assert r.values.dtype == torch.float64
    assert r.length.dtype == torch.int64


def batch(n=5):
    x = {"a": torch.arange(n * 2).reshape(n, 2), "b": Ragged.of([torch.ones(i + 1, 1) * i for i in range(n)])}
    return Batch(x, torch.arange(n), torch.arange(n) % 2, {"box": torch.arange(n) * 10, "none": None})


def test_batch_split_and_cat_are_inverse():
    b = batch()
    parts = b.split(2)
    assert [len(p) for p in parts] == [2, 2, 1]
    whole = Batch.cat(parts)
    assert torch.equal(whole.x["a"], b.x["a"])
    assert torch.equal(whole.x["b"].values, b.x["b"].values)
    assert torch.equal(whole.index, b.index)
    assert torch.equal(whole.label, b.label)
    assert torch.equal(whole.meta["box"], b.meta["box"])
    assert "none" not in whole.meta


def test_batch_index_reaches_every_leaf():
    b = batch()[torch.tensor([4, 1])]
    assert b.index.tolist() == [4, 1]
    assert b.label.tolist() == [0, 1]
    assert b.meta["box"].tolist() == [40, 10]
    assert b.meta["none"] is None
    assert b.x["b"].length.tolist() == [5, 2]


def test_batch_cat_drops_labels_unless_all_have_them():
    b = batch()
    assert Batch.cat([b, b.without_label()]).label is None


def test_batch_with_x_adds_to_meta_and_leaves_the_old_alone():
    b = batch()
    new = b.with_x(torch.zeros(5, 1), flip=torch.ones(5))
    assert set(new.meta) == {"box", "none", "flip"}
    assert "flip" not in b.meta
    assert torch.equal(new.index, b.index)


def test_ragged_moves_without_touching_whole_numbers() -> None:
    fractions, ids = Ragged.of([torch.rand(2, 3), torch.rand(1, 3)]), Ragged.of([torch.arange(3)])
    assert fractions.to(torch.float64).values.dtype == torch.float64
    assert fractions.to("cpu", torch.float64).length.dtype == torch.int64
    assert ids.to(torch.float64).values.dtype == torch.int64
    assert torch.equal(fractions.to("cpu").values, fractions.values)


def test_a_ragged_is_a_leaf() -> None:
    assert isinstance(Ragged.of([torch.rand(2)]), Leaf)
    whole = Ragged.of([torch.rand(2), torch.rand(5), torch.rand(1)])
    again = Ragged.cat([whole[:1], whole[torch.tensor([1, 2])]])
    assert torch.equal(again.values, whole.values)
    assert torch.equal(again.length, whole.length)
    assert whole.kind() == whole[:1].kind() != Ragged.of([torch.rand(2, 3)]).kind()
