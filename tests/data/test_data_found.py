"""Tables, archives and split columns: what lies at a place, whatever file it came in."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anyview.data.found import look
from anyview.data.labels import label_column, of_table
from anyview.data.parts import Archive, Arrays, Files, Table
from anyview.errors import InputError

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": None}, {"a": 3, "b": "ü, z"}]


def rows(part) -> list[dict]:
    assert isinstance(part, Table)
    return part.columns(part.schema.names).to_pylist()


def write(path, kind: str) -> None:
    frame = pd.DataFrame(ROWS)
    if kind in ("csv", "tsv"):
        frame.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
    elif kind == "json":
        path.write_text(json.dumps(ROWS))
    elif kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS))
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path)


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_one_table_in_every_format(kind: str, tmp_path) -> None:
    write(tmp_path / f"d.{kind}", kind)
    found = look(tmp_path / f"d.{kind}")
    assert list(found.splits) == ["train"]
    assert rows(found.first) == ROWS
    assert rows(look(pd.DataFrame(ROWS)).first) == ROWS


def test_folders_of_csv_are_splits_in_order(tmp_path) -> None:
    for name in ("test", "val", "train"):
        write(tmp_path / f"{name}.csv", "csv")
    assert list(look(tmp_path).splits) == ["train", "validation", "test"]
    (tmp_path / "notes.md").write_text("hello")
    assert isinstance(look(tmp_path).first, Files)  # something else lies there: it is a folder of files


def test_lines_of_text_and_lists_of_strings(tmp_path) -> None:
    (tmp_path / "d.txt").write_text("\ufeffone\n\n  \nzwei\n", encoding="utf-8")
    expected = [{"text": "one"}, {"text": "zwei"}]
    assert rows(look(tmp_path / "d.txt").first) == expected
    assert rows(look(["one", "zwei"]).first) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "cannot be read as a CSV file"),
        ("a.csv", b"a,b\n", "holds no rows"),
        ("a.csv", b"a,b\n1,2,3\n", "cannot be read as a CSV file"),
        ("a.json", b"{}", "list of records"),
        ("a.json", b"[1", "cannot be read as JSON records"),
        ("a.jsonl", b"nonsense", "cannot be read as JSON records"),
        ("a.txt", b"\xff\xfe\xfa", "cannot be read as text in UTF-8"),
        ("a.txt", b"\n\n", "holds no rows"),
        ("a.npz", b"PK\x03\x04 and no more", "cannot be read as a NumPy file"),
    ],
)
def test_broken_files_get_one_line(name: str, content: bytes, message: str, tmp_path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        look(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_split_column_makes_splits(tmp_path) -> None:
    value = ["train", "test", "unused", "train", "val"]
    table = pa.table({"a": range(5), "split_random": value[::-1], "split": value})
    pq.write_table(table, tmp_path / "all.parquet")
    found = look(tmp_path)
    assert {name: [row["a"] for row in rows(part)] for name, part in found.splits.items()} == {
        "train": [0, 3],
        "validation": [4],
        "test": [1],
    }
    assert all(part.schema.names == ["a"] for part in found.splits.values())
    first = look(pa.table({"a": range(2), "split_b": ["train", "test"], "split_a": ["test", "train"]}))
    assert rows(tablesplit(first, "train"))[0]["a"] == 0  # the first of several, when none is called split


def tablesplit(found, name: str):
    from anyview.data.tables import by_column

    return by_column(found).splits[name]


def test_files_that_are_splits_keep_their_names_whatever_column_they_have(tmp_path) -> None:
    for name in ("train", "test"):
        pq.write_table(pa.table({"a": [1], "split": ["train"]}), tmp_path / f"{name}.parquet")
    assert list(look(tmp_path).splits) == ["train", "test"]


def test_files_of_another_kind_of_part_are_put_together_by_their_split_column(tmp_path) -> None:
    for i, name in enumerate(("red", "blue")):
        pq.write_table(pa.table({"a": [i, i], "split": ["train", "test"]}), tmp_path / f"{name}.parquet")
    assert {n: len(p) for n, p in look(tmp_path).splits.items()} == {"train": 2, "test": 2}


def test_archives_keep_all_their_arrays(tmp_path) -> None:
    np.savez(tmp_path / "train.npz", edge_index=np.zeros((2, 3), int), x=np.zeros((4, 2)))
    found = look(tmp_path)
    assert isinstance(found.first, Archive)
    assert set(found.first.arrays) == {"edge_index", "x"}
    np.savez(tmp_path / "train.npz", x=np.zeros((4, 2)), y=np.arange(4))
    assert isinstance(look(tmp_path).first, Arrays)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"a": [1.5], "label": [1]}, "label"),
        ({"target": [1.5], "y": ["b"]}, "y"),
        ({"score": [1.5]}, "score"),
        ({"label": [0.5], "target": [1.5]}, "label"),
        ({"a": [1], "b": ["x"]}, None),
    ],
)
def test_the_usual_names_of_labels(columns: dict, expected: str | None) -> None:
    assert label_column(pa.table(columns).schema) == expected


def test_whole_numbers_that_a_null_made_fractions_are_classes() -> None:
    classes, names = of_table(look(pa.table({"label": [2.0, None, 0.0, 1.0]})), None)
    assert classes["train"].tolist() == [2, -1, 0, 1]
    targets, none = of_table(look(pa.table({"target": [2.0, None, 0.25]})), None)
    assert targets["train"].isnan().tolist() == [False, True, False]
    assert names is none is None
