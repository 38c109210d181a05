"""Series from arrays, lists, nested, wide and long tables; gaps, faults, windows and claims."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import anyview.data as data
from anyview.data.batch import Ragged
from anyview.data.found import look
from anyview.data.readers.series import SeriesReader, looks_like_series
from anyview.errors import InputError

rng = np.random.default_rng(0)


def everything(source):
    return source.fetch(torch.arange(len(source))).x


def hours(n: int) -> list[datetime.datetime]:
    return [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=i) for i in range(n)]


def long_frame(n: int = 400) -> pd.DataFrame:
    return pd.DataFrame({"date": hours(n), "a": np.arange(n, dtype=float), "b": rng.normal(size=n)})


# ---- arrays and lists


def test_arrays_of_two_and_three_axes() -> None:
    flat, deep = rng.normal(size=(5, 30)), rng.normal(size=(5, 2, 30))
    one, two = data.open(flat), data.open((deep, np.arange(5) % 2))
    assert one.modality == two.modality == "series"
    assert torch.allclose(everything(one.train), torch.tensor(flat[:, None]).float())
    assert torch.equal(everything(two.train), torch.tensor(deep).float())
    assert two.spec["channels"] == 2
    assert torch.equal(two.train.label, torch.tensor([0, 1, 0, 1, 0]))


def test_an_array_of_one_axis_is_cut_into_windows_that_share_no_step() -> None:
    x = rng.normal(size=100)
    found = data.open(x, size=16)
    assert torch.equal(everything(found.train).flatten(), torch.tensor(x[:96]).float())


def test_a_list_of_arrays_may_have_lengths_of_its_own() -> None:
    items = [(rng.normal(size=(2, n)), n % 2) for n in (7, 12, 9)]
    found = data.open(items)
    x = everything(found.train)
    assert isinstance(x, Ragged)
    assert x.length.tolist() == [7, 12, 9]
    for (given, _), got in zip(items, x.unpack()):
        assert torch.equal(got, torch.tensor(given.T).float())
    assert found.train.label.tolist() == [1, 0, 1]
    assert (found.spec["shortest"], found.spec["length"], found.spec["longest"]) == (7, 9, 12)


@pytest.mark.parametrize(
    ("x", "modality"),
    [
        (np.zeros((4, 28, 28), np.uint8), "image"),
        (rng.random((4, 28, 28)), "image"),
        (255 * rng.random((4, 28, 28)), "image"),
        (rng.random((4, 16, 16, 3)), "image"),
        (rng.random((4, 32, 128)), "image"),
        ([rng.random((28, 28))] * 4, "image"),
        ([rng.random((2, 50))] * 4, "series"),
        (rng.random((4, 6, 100)), "series"),
        (rng.normal(size=(4, 28, 56)), "series"),
        (rng.random((40, 128)), "series"),
        (rng.random((4, 3, 200)).astype(np.float32), "series"),
    ],
)
def test_images_stay_images_and_series_are_series(x, modality: str) -> None:
    assert data.open(x).modality == modality


def test_normalised_images_are_refused_rather_than_read_as_series() -> None:
    with pytest.raises(InputError, match="not normalised"):
        data.open(rng.normal(size=(4, 28, 28)))
    assert data.open(rng.normal(size=(4, 28, 28)), modality="series").spec["channels"] == 28


def test_tensors_are_claimed_as_arrays_are() -> None:
    for shape in ((9, 40), (9, 2, 40), (9, 20, 20)):
        x = torch.rand(shape)
        assert looks_like_series(x) == looks_like_series(x.numpy())
        assert looks_like_series(x.bfloat16()) == looks_like_series(x.numpy())


# ---- gaps and faults


def test_gaps_are_filled_along_a_straight_line() -> None:
    x = np.array([[np.nan, 1, np.nan, np.nan, 4, np.inf], [0, 0, 0, 0, 0, 0.0]])
    found = data.open(x[:, None])
    assert torch.allclose(everything(found.train)[0, 0], torch.tensor([1.0, 1, 2, 3, 4, 4]))
    assert "33 % missing, interpolated in time" in found.notes


def test_a_channel_without_a_number_becomes_its_mean_in_training() -> None:
    x = rng.normal(3, 1, (4, 2, 20))
    x[1, 0] = np.nan
    found = data.open(x)
    mean = np.delete(x[:, 0], 1, 0).mean()
    assert torch.allclose(everything(found.train)[1, 0], torch.full((20,), mean).float(), atol=1e-5)
    assert found.spec["mean"][0] == pytest.approx(mean, abs=1e-5)


def test_a_series_of_nothing_but_gaps_is_left_out_and_listed() -> None:
    x = rng.normal(size=(4, 1, 20))
    x[2] = np.nan
    found = data.open((x, np.arange(4) % 2))
    assert len(found.train) == 3
    assert found.train.label.tolist() == [0, 1, 1]
    assert found.skipped[0].path.endswith("train sample 2")
    assert "only missing values" in found.skipped[0].reason


def test_faults_of_nested_columns_are_listed_by_row(tmp_path) -> None:
    good = [[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]
    rows = [good, [], None, [[1.0, 2.0], [1.0]], [[1.0, 2.0]], [[None, 5.0], [1.0, None]], good, [[], []]]
    kind = pa.list_(pa.list_(pa.float32()))
    pq.write_table(pa.table({"x": pa.array(rows, kind)}), tmp_path / "a.parquet")
    found = data.open(tmp_path / "a.parquet")
    x = everything(found.train)
    assert x.length.tolist() == [3, 2, 3]
    assert x.unpack()[1].tolist() == [[5.0, 1.0], [5.0, 1.0]]
    reasons = {s.path.rsplit(" ", 1)[1]: s.reason for s in found.skipped}
    assert set(reasons) == {"1", "2", "3", "4", "7"}
    assert "different lengths" in reasons["3"]
    assert reasons["4"] == "has 1 channels, not 2"


def test_nothing_readable_is_an_error_that_names_the_first() -> None:
    with pytest.raises(InputError, match=r"no series could be read \(first: .* only missing"):
        data.open(np.full((3, 10), np.nan))


def test_a_constant_series_is_kept() -> None:
    found = data.open(np.full((3, 10), 7.0))
    assert found.spec["std"] == [1.0]
    assert len(found.train) == 3


def test_other_channels_than_were_trained_on_are_an_error() -> None:
    like = data.open(rng.normal(size=(5, 3, 30))).spec
    with pytest.raises(InputError, match="have 2 channels, and the model was trained on 3"):
        data.open(rng.normal(size=(5, 2, 30)), like=like)


def test_text_is_no_series() -> None:
    with pytest.raises(InputError, match="holds no series"):
        data.open(np.array([["a", "b"]]), modality="series")


@pytest.mark.parametrize("size", [0, 1, -5])
def test_a_size_that_cannot_be(size: int) -> None:
    with pytest.raises(InputError, match="number of time steps"):
        data.open(rng.normal(size=(3, 20)), size=size)


def test_size_resamples() -> None:
    x = np.sin(np.linspace(0, 6, 100))[None]
    found = data.open(x, size=50)
    half = torch.tensor(x[0].reshape(50, 2).mean(1)).float()
    assert torch.allclose(everything(found.train)[0, 0], half, atol=2e-2)
    assert data.open(rng.normal(size=(3, 80)), like=found.spec).spec["longest"] == 50


# ---- tables


def test_lists_of_one_channel() -> None:
    found = data.open(pd.DataFrame({"x": [[1.0, 2.0, 3.0], [4.0, 5.0]], "label": ["up", "down"]}))
    assert found.spec["channels"] == 1
    assert [s[:, 0].tolist() for s in everything(found.train).unpack()] == [[1, 2, 3], [4, 5]]
    assert found.label_names == ["down", "up"]


def test_nested_columns_are_read_alike_in_parts_and_slices() -> None:
    rows = [rng.normal(size=(2, n)).tolist() for n in (4, 6, 5, 7)]
    whole = pa.table({"x": rows})
    chunked = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 2), whole.slice(3)])
    a, b = (everything(data.open(t).train) for t in (whole, chunked))
    assert torch.equal(a.values, b.values)
    assert torch.equal(everything(data.open(whole.slice(1)).train).values, a[1:].values)


def test_wide_tables_are_series_only_when_asked() -> None:
    frame = pd.DataFrame(rng.normal(size=(6, 12)), columns=[f"t{i}" for i in range(12)]).assign(
        label=[0, 1] * 3
    )
    found = data.open(frame, modality="series")
    assert torch.allclose(everything(found.train)[:, 0], torch.tensor(frame.iloc[:, :12].to_numpy()).float())
    assert found.train.label.tolist() == [0, 1] * 3
    assert SeriesReader().claim(look(frame)) == 0


def test_a_long_table_is_one_series_in_order_of_time() -> None:
    frame = long_frame()
    found = data.open(frame.sample(frac=1, random_state=0), modality="series", size=20)
    x = everything(found.train)
    assert x.shape == (20, 2, 20)
    assert torch.equal(x[:, 0].flatten(), torch.arange(400.0))
    assert "rows put in order of time" in found.notes
    assert data.open(frame).modality == "series"


def test_windows_of_a_long_table_stay_within_their_split(tmp_path) -> None:
    part = np.array(["train"] * 200 + ["unused"] * 20 + ["validation"] * 80 + ["test"] * 100)
    long_frame().assign(split=part).to_csv(tmp_path / "hours.csv", index=False)
    found = data.open(tmp_path / "hours.csv", size=24)
    seen = {name: everything(source)[:, 0] for name, source in found.splits.items()}
    assert {
        k: (v.min().item(), v.max().item() <= top) for k, v, top in zip(seen, seen.values(), (199, 299, 399))
    } == {
        "train": (0, True),
        "validation": (220, True),
        "test": (300, True),
    }
    assert torch.equal(seen["train"][1], seen["train"][0] + 6)  # a quarter of the window later
    assert found.spec["mean"][0] < 100  # the scale is that of train alone


def test_a_split_shorter_than_a_window_is_an_error(tmp_path) -> None:
    part = ["train"] * 390 + ["test"] * 10
    long_frame().assign(split=part).to_parquet(tmp_path / "hours.parquet")
    with pytest.raises(InputError, match=r"test split has 10 steps, fewer than a window of 32; .* --size"):
        data.open(tmp_path / "hours.parquet")


def test_steps_of_a_window_share_its_label_or_it_has_none() -> None:
    label = [0] * 100 + [1] * 300
    found = data.open(long_frame().assign(label=label), size=40)
    assert found.train.label.tolist() == [0, 0, -1, 1, 1, 1, 1, 1, 1, 1]


def test_a_long_table_of_several_series() -> None:
    frame = pd.DataFrame(
        {
            "series_id": [7, 7, 3, 3, 3],
            "t": [1, 0, 2, 0, 1],
            "v": [1.0, 0, 12, 10, 11],
            "label": [1, 1, 0, 0, 0],
        }
    )
    found = data.open(frame, modality="series")
    assert [s[:, 0].tolist() for s in everything(found.train).unpack()] == [[0, 1], [10, 11, 12]]
    assert found.train.label.tolist() == [1, 0]


def test_a_long_table_is_read_by_the_names_of_its_channels() -> None:
    like = data.open(long_frame(), size=20).spec
    again = data.open(long_frame()[["date", "b", "a"]], like=like)
    assert torch.equal(everything(again.train)[:, 0].flatten(), torch.arange(400.0))
    with pytest.raises(InputError, match='no column "a", which the model was trained on'):
        data.open(long_frame().rename(columns={"a": "c"}), like=like, modality="series")


def test_events_are_not_one_series() -> None:
    frame = pd.DataFrame({"user": [1, 2, 1, 2] * 3, "time": [1, 1, 2, 2] * 3, "amount": np.arange(12.0)})
    assert SeriesReader().claim(look(frame)) == 0


# ---- real folders


@pytest.mark.parametrize("name", ["ts_arrowhead", "ts_japanesevowels", "ts_watch_imu", "etth1", "fmri_roi"])
def test_folders_open_by_their_path_alone(shared_data, name: str) -> None:
    found = data.open(f"{shared_data}/{name}")
    assert found.modality == "series"
    assert not found.skipped
    for source in found.splits.values():
        x = source.fetch(torch.arange(min(4, len(source)))).x
        assert torch.isfinite(x.values if isinstance(x, Ragged) else x).all()
