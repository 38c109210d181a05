"""Tables: which columns become features, what happens to odd cells, and reading other data as before."""

import datetime
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from anyview.data import open as open_data
from anyview.data.table.columns import KNOWN, MISSING, OTHER, encode_numbers, fit, numbers, scale
from anyview.errors import InputError

ROWS = 60


def frame(**columns) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    base = {
        "height": rng.normal(170, 10, ROWS),
        "colour": rng.choice(["red", "green", "blue"], ROWS, p=[0.6, 0.3, 0.1]),
        "label": np.arange(ROWS) % 2,
    }
    return pd.DataFrame(base | columns)


def features(dataset, kind):
    return [f["name"] for f in dataset.spec[kind]]


def test_a_frame_opens_as_numbers_and_categories() -> None:
    d = open_data(frame(owned=np.arange(ROWS) % 3 == 0, kids=np.arange(ROWS) % 4))
    assert d.modality == "table"
    assert features(d, "numeric") == ["height"]
    assert features(d, "categorical") == ["colour", "owned", "kids"]
    assert torch.equal(d.train.label, torch.arange(ROWS) % 2)
    x = d.train.fetch(torch.arange(ROWS)).x
    assert x["numeric"].shape == (ROWS, 1)
    assert x["categorical"].shape == (ROWS, 3)
    assert d.spec["categorical"][0]["values"] == ["red", "green", "blue"]  # by frequency
    json.dumps(d.spec)


def test_the_label_is_never_a_feature() -> None:
    d = open_data(frame(target=np.linspace(0.1, 9.7, ROWS)).drop(columns="label"))
    assert "target" not in features(d, "numeric")
    assert d.train.label.dtype == torch.float32
    d = open_data(frame(), label="colour")
    assert features(d, "categorical") == ["label"]
    assert d.label_names == ["blue", "green", "red"]


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ([f"name {i}" for i in range(ROWS)], "hardly two values alike"),
        (["same"] * ROWS, "has one value"),
        ([7.5] * ROWS, "has one value"),
        ([None] * ROWS, "is empty"),
        ([[1, 2]] * ROWS, "holds list"),
    ],
)
def test_columns_that_tell_nothing_are_left_out_with_a_note(column, why: str) -> None:
    d = open_data(frame(odd=column))
    assert features(d, "numeric") + features(d, "categorical") == ["height", "colour"]
    assert any('"odd" left out' in note and why in note for note in d.describe())


def test_numbers_of_rows_are_left_out() -> None:
    d = open_data(frame(customer_id=np.arange(ROWS), population=np.arange(ROWS)))
    assert features(d, "numeric") == ["height", "population"]


def test_a_table_of_nothing_but_constants_is_an_error() -> None:
    with pytest.raises(InputError, match=r'no column to learn from \("a" has one value, "b" has one value\)'):
        open_data(pd.DataFrame({"a": [1] * 9, "b": ["x"] * 9}))


def test_missing_cells_are_a_state_of_their_own() -> None:
    table = frame()
    table.loc[3, "height"], table.loc[4, "height"], table.loc[5, "colour"] = np.nan, np.inf, None
    d = open_data(table)
    x = d.train.fetch(torch.arange(ROWS)).x
    assert x["numeric"].isnan().nonzero()[:, 0].tolist() == [3, 4]
    assert (x["categorical"] == MISSING).nonzero()[:, 0].tolist() == [5]
    assert "2.5 % missing" in d.describe()


def test_one_value_with_gaps_is_known_or_missing() -> None:
    d = open_data(frame(said=[4.0 if i % 2 else None for i in range(ROWS)]))
    assert d.spec["categorical"][1] == {"name": "said", "values": ["4"]}


def test_other_data_are_read_as_the_first() -> None:
    spec = open_data(frame()).spec
    other = pd.DataFrame({"colour": ["green", "violet", None], "more": [1, 2, 3], "height": [170, 1e9, None]})
    d = open_data(other, modality="table", like=spec)
    x = d.train.fetch(torch.arange(3)).x
    assert x["categorical"][:, 0].tolist() == [KNOWN + 1, OTHER, MISSING]
    assert 2.9 < x["numeric"][1, 0] <= 3.0
    assert d.spec == spec
    with pytest.raises(InputError, match=r'no column "height".*trained on it'):
        open_data(other.drop(columns="height"), modality="table", like=spec)
    with pytest.raises(InputError, match='"height" should hold numbers'):
        open_data(other.assign(height=["a", "b", "c"]), modality="table", like=spec)


def test_whole_numbers_read_the_same_as_fractions() -> None:
    spec = open_data(frame(kids=np.arange(ROWS) % 3)).spec
    gaps = frame(kids=[float(i % 3) if i else None for i in range(ROWS)])
    codes = open_data(gaps, like=spec).train.fetch(torch.arange(ROWS)).x["categorical"][:, 1]
    assert codes[0] == MISSING
    assert (codes[1:] >= KNOWN).all()


def test_what_was_a_feature_cannot_be_the_label() -> None:
    spec = open_data(frame(), label="label").spec
    with pytest.raises(InputError, match='"colour" was among the features'):
        open_data(frame(), label="colour", like=spec)


def test_dates_are_days() -> None:
    first = datetime.date(2026, 1, 1)
    when = [first + datetime.timedelta(i) for i in range(ROWS)]
    d = open_data(frame(when=when))
    assert features(d, "numeric") == ["height", "when"]
    days = numbers("when", pa.chunked_array([pa.array(when)]))
    assert np.array_equal(np.diff(days), np.ones(ROWS - 1))
    assert days[0] == (first - datetime.date(1970, 1, 1)).days


def test_the_scale_is_that_of_most_values_and_monotone() -> None:
    rng = np.random.default_rng(1)
    for draw in (rng.normal(size=500), rng.lognormal(sigma=3, size=500), rng.integers(0, 1000, 500) * 1e6):
        column = pa.chunked_array([pa.array(draw.astype(float))])
        feature = fit("x", column)
        x = encode_numbers(column, feature).numpy()
        assert np.abs(x).max() <= 3
        assert abs(np.median(x)) < 0.1
        assert 0.5 < np.quantile(x, 0.75) - np.quantile(x, 0.25) <= 1.01
        order = np.argsort(draw)
        assert (np.diff(x[order]) >= 0).all()
        wild = np.append(draw, 1e12)
        shifted = fit("x", pa.chunked_array([pa.array(wild)]))
        assert np.abs(scale(draw, shifted) - x).max() < 0.1  # one outlier moves little


def test_bins_hold_equal_shares() -> None:
    draw = np.random.default_rng(2).normal(size=4096)
    feature = fit("x", pa.chunked_array([pa.array(draw)]))
    x = encode_numbers(pa.chunked_array([pa.array(draw)]), feature)
    counts = torch.bincount(torch.bucketize(x, torch.tensor(feature["edges"])), minlength=16)
    assert len(feature["edges"]) == 15
    assert (counts - 256).abs().max() <= 1


def test_mostly_zero_still_has_a_scale_and_a_bin_for_zero() -> None:
    draw = np.where(np.arange(200) % 20, 0.0, np.arange(200) + 0.5)
    feature = fit("gains", pa.chunked_array([pa.array(draw)]))
    assert feature["spread"] > 0
    x = encode_numbers(pa.chunked_array([pa.array(draw)]), feature)
    bins = torch.bucketize(x, torch.tensor(feature["edges"]))
    assert set(bins[draw == 0].tolist()).isdisjoint(bins[draw > 0].tolist())


def test_rare_values_become_other() -> None:
    rng = np.random.default_rng(3)
    many = np.append(np.repeat([f"v{i}" for i in range(256)], 4), [f"rare{i}" for i in range(80)])
    d = open_data(pd.DataFrame({"town": many, "x": rng.normal(size=len(many))}))
    codes = d.train.fetch(torch.arange(len(many))).x["categorical"][:, 0]
    assert len(d.spec["categorical"][0]["values"]) == 256
    assert (codes[-80:] == OTHER).all()
    assert (codes[:-80] >= KNOWN).all()


def test_files_of_each_kind_give_the_same(tmp_path) -> None:
    table = frame(town=np.array(["a", "b", None] * (ROWS // 3), dtype=object))
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    table.to_json(tmp_path / "t.jsonl", orient="records", lines=True, double_precision=15)
    table.to_json(tmp_path / "t.json", orient="records", double_precision=15)
    whole = torch.arange(ROWS)
    expected = open_data(table).train.fetch(whole)
    for kind in ("csv", "parquet", "jsonl", "json"):
        batch = open_data(tmp_path / f"t.{kind}").train.fetch(whole)
        torch.testing.assert_close(batch.x, expected.x)
        assert torch.equal(batch.label, expected.label)


def test_the_test_split_changes_nothing_that_is_learned(tmp_path) -> None:
    frame().to_csv(tmp_path / "train.csv", index=False)
    alone = open_data(tmp_path / "train.csv").spec
    frame(height=np.arange(ROWS) * 1e6, colour=["violet", "pink"] * (ROWS // 2)).to_csv(
        tmp_path / "test.csv", index=False
    )
    d = open_data(tmp_path)
    assert list(d.splits) == ["train", "test"]
    assert d.spec == alone


def test_an_array_is_a_table_when_it_is_called_one() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    d = open_data((x, np.arange(50) % 2), modality="table")
    assert features(d, "numeric") == ["x0", "x1", "x2"]
    assert d.train.label.sum() == 25


def test_a_size_is_refused() -> None:
    with pytest.raises(InputError, match="no size"):
        open_data(frame(), size=8)


def test_adult(shared_data) -> None:
    d = open_data("adult")
    assert (len(d.spec["numeric"]), len(d.spec["categorical"])) == (6, 8)
    assert len(d.train) == 32561
    assert d.train.label_names == ["<=50K", ">50K"]


def test_a_data_frame_is_split_by_its_column_as_a_file_is(tmp_path) -> None:
    value = ["train"] * 4 + ["valid", "test", "test", "unused"]
    table = pd.DataFrame({"a": np.arange(8.0), "b": list("xyxyxyxy"), "split_random": value})
    table.to_csv(tmp_path / "t.csv", index=False)
    for opened in (open_data(table), open_data(tmp_path / "t.csv")):
        assert {name: len(s) for name, s in opened.splits.items()} == {"train": 4, "validation": 1, "test": 2}
    chosen = open_data(table.assign(split=["test"] * 4 + ["train"] * 4))
    assert {name: len(s) for name, s in chosen.splits.items()} == {"train": 4, "test": 4}
