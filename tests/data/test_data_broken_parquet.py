"""Parquet files as they come, read as tables: what each broken or unusual file, schema or split becomes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from broken import Case, behaves, everything, saved

N = 30
X = [i * i % 13 + i / 8 for i in range(N)]
GOOD = pa.table({"a": X, "b": ["u", "v", "w"] * 10})


def one(
    table: pa.Table, change: Callable[[bytes], bytes] = bytes, **options: object
) -> Callable[[Path], Path]:
    """One file, and what is done to its bytes."""

    def make(folder: Path) -> Path:
        path = folder / "x.parquet"
        pq.write_table(table, path, **options)
        path.write_bytes(change(path.read_bytes()))
        return path

    return make


def many(**tables: pa.Table | bytes) -> Callable[[Path], None]:
    """A folder of files."""

    def make(folder: Path) -> None:
        for name, table in tables.items():
            path = folder / f"{name}.parquet"
            path.write_bytes(table) if isinstance(table, bytes) else pq.write_table(table, path)

    return make


def flipped(at: float) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        i = int(at * len(content))
        return content[:i] + bytes(255 - b for b in content[i : i + 8]) + content[i + 8 :]

    return change


def footer(size: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:-8] + size.to_bytes(4, "little", signed=False) + b"PAR1"


def also(values: list[object], kind: pa.DataType | None = None, name: str = "c") -> pa.Table:
    return GOOD.append_column(name, pa.array(values * (N // len(values)), kind))


def noted(table: pa.Table, metadata: dict[str, str]) -> pa.Table:
    return table.replace_schema_metadata(metadata)


def features(found) -> list[str]:
    return [f["name"] for kind in ("numeric", "categorical") for f in found.spec[kind]]


def left_out(what: str, table: pa.Table, why: str) -> Case:
    return Case(
        what, one(table), N, says=f'"c" left out: it {why}', holds=lambda f: features(f) == ["a", "b"]
    )


def kept(what: str, make: Callable[[Path], object], becomes: str = "") -> Case:
    return Case(
        what, make, N, becomes=becomes, holds=lambda f: features(f)[-1] == "b" and len(features(f)) == 2
    )


LABELLED = also([0, 1], name="label")
REFUSED = "cannot be read as a Parquet file"
TABLE = [
    Case("an empty file", saved(b"", "x.parquet"), says=REFUSED),
    Case("zeros", saved(bytes(4096), "x.parquet"), says=REFUSED),
    Case("only the signature", saved(b"PAR1PAR1", "x.parquet"), says=REFUSED),
    Case("cut in the middle", one(GOOD, lambda b: b[: len(b) // 2]), says=REFUSED),
    Case("the last byte missing", one(GOOD, lambda b: b[:-1]), says=REFUSED),
    Case("the first half missing", one(GOOD, lambda b: b[len(b) // 2 :]), says=REFUSED),
    Case("flipped bits among the values", one(GOOD, flipped(0.02), compression="gzip", use_dictionary=False), says=REFUSED),
    Case("flipped bits in the footer", one(GOOD, flipped(0.6)), says=REFUSED),
    Case("a footer of 4 GB", one(GOOD, footer(2**32 - 1)), says=REFUSED),
    Case("a footer of 0 bytes", one(GOOD, footer(0)), says=REFUSED),
    Case("a CSV file that is called Parquet", saved("a,b\n1,2\n", "x.parquet"), says=REFUSED),
    Case("what follows the end", one(GOOD, lambda b: b + b"more"), says=REFUSED),
    Case("no rows", one(GOOD.slice(0, 0)), says="holds no rows"),
    Case("no columns", one(pa.table({}).select([])), says="holds no rows"),
    Case("two columns of one name", one(pa.Table.from_arrays([GOOD["a"], GOOD["b"]], ["a", "a"])), says='two columns "a"'),
    kept("an empty name of a column", one(GOOD.rename_columns(["", "b"]))),
    kept("a name of a column with line ends and escapes", one(GOOD.rename_columns(["a\n\x1b[31m", "b"]))),
    Case("a name of a column in another script", one(GOOD.rename_columns(["数 🙂", "b"])), N,
         holds=lambda f: features(f) == ["数 🙂", "b"]),
    kept("dictionaries", one(GOOD.set_column(1, "b", GOOD["b"].dictionary_encode()))),
    kept("large strings", one(GOOD.set_column(1, "b", GOOD["b"].cast(pa.large_string())))),
    kept("half floats", one(GOOD.set_column(0, "a", pa.array(np.array(X, np.float16))))),
    kept("unsigned 64-bit numbers", one(GOOD.set_column(0, "a", pa.array([2**64 - 1 - i**12 for i in range(N)], pa.uint64())))),
    kept("nanoseconds of the year 2262", one(GOOD.set_column(0, "a", pa.array([2**63 - 1 - i**9 for i in range(N)], pa.timestamp("ns"))))),
    left_out("a column of the type null", also([None]), "is empty"),
    left_out("lists", also([[1], [2]]), "holds list"),
    left_out("maps", also([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "holds map"),
    left_out("bytes that are no image", also([b"a", b"b"]), "holds binary"),
    left_out("fixed-size bytes", also([b"ab", b"cd"], pa.binary(2)), "holds fixed_size_binary"),
    kept("metadata of Hugging Face that are no JSON", one(noted(GOOD, {"huggingface": "{"}))),
    Case("metadata of Hugging Face that lie", one(noted(LABELLED, {"huggingface": json.dumps({"info": {"features": {
        "label": {"_type": "ClassLabel", "names": ["only one"]}}}})})), says="there are 1 class names"),
    Case("names of classes that are no list", one(noted(LABELLED, {"label_names": '{"0": "u"}'})), says="are no list"),
    Case("a broken file beside a good one", many(train=GOOD, test=b"PAR1"), says=REFUSED),
    Case("a split without rows", many(train=GOOD, test=GOOD.slice(0, 0)), says="test.parquet holds no rows"),
    Case("a split without a column of the others", many(train=GOOD, test=GOOD.select(["a"])), says='has no column "b"'),
    Case("a split with columns in another order", many(train=GOOD, test=GOOD.select(["b", "a"])), 2 * N,
         holds=lambda f: torch.equal(everything(f)["numeric"], f.splits["test"].fetch(torch.arange(N)).x["numeric"])),
    Case("a split with another type", many(train=GOOD, test=GOOD.set_column(0, "a", pa.array(["x"] * N))),
         says='column "a" should hold numbers'),
    Case("parts with other columns", many(**{"train-0-of-2": GOOD, "train-1-of-2": GOOD.select(["a"])}), says="train-1-of-2.parquet has other columns"),
    Case("parts with other types", many(**{"train-0-of-2": GOOD, "train-1-of-2": GOOD.set_column(0, "a", pa.array([1] * N))}),
         2 * N, becomes="as the wider type"),
    Case("parts of numbers and of words", many(**{"train-0-of-2": GOOD, "train-1-of-2": GOOD.set_column(0, "a", GOOD["b"])}),
         says=REFUSED),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_each_parquet_file_is_read_or_refused(case: Case, tmp_path: Path) -> None:
    behaves(case, tmp_path, "table")
