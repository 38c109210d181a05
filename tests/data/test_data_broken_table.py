"""Rows as they come: what each broken or unusual column or cell of a table becomes."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from broken import Case, behaves, everything, given, saved

from anyview.data.table.columns import CLIP, MISSING, OTHER

ROWS = 40
NUMBERS = [float(i * i % 17) + 0.5 for i in range(ROWS)]


def column(*values: object, kind: pa.DataType | None = None) -> pa.Table:
    """A good column, and one that repeats these values."""
    own = pa.array([values[i % len(values)] for i in range(ROWS)], kind)
    return pa.table({"good": NUMBERS, "x": own})


def csv(*cells: str, head: str = "good,x") -> str:
    return "\n".join([head, *(f"{NUMBERS[i]},{cells[i % len(cells)]}" for i in range(ROWS))]) + "\n"


def lines(*values: str) -> str:
    return "".join(f'{{"good": {NUMBERS[i]}, "x": {values[i % len(values)]}}}\n' for i in range(ROWS))


def numeric(found, name: str = "x") -> torch.Tensor:
    at = [f["name"] for f in found.spec["numeric"]].index(name)
    return everything(found)["numeric"][:, at]


def codes(found, name: str = "x") -> torch.Tensor:
    at = [f["name"] for f in found.spec["categorical"]].index(name)
    return everything(found)["categorical"][:, at]


def in_range(found) -> bool:
    known = numeric(found)[~numeric(found).isnan()]
    return len(known) > 0 and bool((known.abs() <= CLIP).all()) and len(known.unique()) > 1


def no_numbers(found) -> bool:
    return [f["name"] for f in found.spec["numeric"]] == ["good"] and not found.spec["categorical"]


def values(*wanted: str):
    return lambda found: found.spec["categorical"][0]["values"] == list(wanted)


def out(what: str, table: object, why: str) -> Case:
    """A column that is left out and said."""
    return Case(what, given(table), ROWS, says=f'column "x" left out: it {why}', holds=no_numbers)


def number(what: str, table: object, becomes: str = "") -> Case:
    return Case(what, given(table), ROWS, becomes=becomes, holds=in_range)


MIXED = [0.0, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5]
DAYS = [date(2024, 1, 1) + timedelta(days=i * i) for i in range(12)]
TABLE = [
    Case("an empty file", saved("", "t.csv"), says="cannot be read as a CSV file"),
    Case("zeros", saved(bytes(512), "t.csv"), says="t.csv"),
    Case("a head and no row", saved("a,b\n", "t.csv"), says="holds no rows"),
    Case("an image that is called a table", saved(b"\x89PNG\r\n\x1a\n\0\xff\xfe", "t.csv"), says="as a CSV file"),
    Case("UTF-16", saved(csv("a", "b").encode("utf-16"), "t.csv"), says="t.csv"),
    Case("letters that are no UTF-8", saved(csv("café", "thé").encode("latin-1"), "t.csv"), says="is no UTF-8; save it as UTF-8"),
    Case("a byte order mark", saved("\ufeff" + csv("a", "b"), "t.csv"), ROWS,
         holds=lambda f: f.spec["numeric"][0]["name"] == "good"),
    Case("Windows' line ends", saved(csv("a", "b").replace("\n", "\r\n"), "t.csv"), ROWS, holds=values("a", "b")),
    Case("a row with one cell less", saved(csv("a", "b") + "1.5\n", "t.csv"), says="cannot be read as a CSV file"),
    Case("a quote that never ends", saved(csv("a", "b") + '1.5,"b\n', "t.csv"), says="cannot be read as a CSV file"),
    Case("line ends and commas in quotes", saved(csv('"a,\nb"', "c"), "t.csv"), ROWS, holds=values("a,\nb", "c")),
    Case("two columns of one name", saved(csv("a", head="x,x"), "t.csv"), says='two columns "x"'),
    Case("a column without a name", saved(csv("a", "b", head="good,"), "t.csv"), ROWS, holds=values("a", "b")),
    Case("?, NA, null and nothing", saved(csv("?", "NA", "null", "", "a", "b"), "t.csv"), ROWS, says="% missing",
         holds=lambda f: codes(f)[:6].tolist() == [MISSING] * 4 + [2, 3]),
    Case("a word among numbers", saved(csv("1.5", "2.5", "seven"), "t.csv"), ROWS, becomes="a category each",
         holds=values("1.5", "2.5", "seven")),
    Case("decimal commas", saved(csv('"1,5"', '"2,5"'), "t.csv"), ROWS, becomes="categories", holds=values("1,5", "2,5")),
    Case("a cell of 2 MB", saved(csv("a", "b", "b" * 2_000_000), "t.csv"), says="t.csv"),
    Case("100 columns", given(pa.table({f"c{i}": NUMBERS for i in range(100)})), ROWS,
         holds=lambda f: everything(f)["numeric"].shape == (ROWS, 100)),
    Case("names of every script, with spaces", saved(csv("a", "b", head="good,Ωμέγα  図 🙂"), "t.csv"), ROWS,
         holds=lambda f: f.spec["categorical"][0]["name"] == "Ωμέγα  図 🙂"),
    Case("values that look alike", given(column("é", "e\u0301", "e")), ROWS, becomes="three categories",
         holds=lambda f: len(f.spec["categorical"][0]["values"]) == 3),
    Case("JSON lines with a broken one", saved(lines("1.5") + '{"good": 1', "t.jsonl"), says="as JSON records"),
    Case("JSON lines that are no UTF-8", saved(lines('"café"').encode("latin-1"), "t.jsonl"), says="as JSON records"),
    Case("JSON lines of two types", saved(lines("1.5", '"a"'), "t.jsonl"), says="as JSON records"),
    Case("JSON that is no list of records", saved('{"a": [1, 2]}', "t.json"), says="a list of records was expected"),
    Case("JSON nested without end", saved("[" * 100_000, "t.json"), says="nested without end"),
    Case("JSON records with other keys", saved('[{"a": 1.5}, {"b": 2}, {"a": 2.5, "b": 3}]', "t.json"), 3, says="% missing"),
    Case("NaN in JSON", saved('[{"a": NaN, "b": 1}, {"a": 2.5, "b": 3}, {"a": 3.5, "b": 1}]', "t.json"), 3,
         says="% missing"),
    out("a column without a value", column(None, kind=pa.float64()), "is empty"),
    out("a column of NaN and infinity", column(np.nan, np.inf, -np.inf), "is empty"),
    out("one value in all rows", column(7), "has one value"),
    out("names that are all different", pa.table({"good": NUMBERS, "x": [f"n{i}" for i in range(ROWS)]}),
        "has hardly two values alike"),
    out("lists", column([1.0, 2.0]), "holds list"),
    out("bytes", column(b"a", b"b"), "holds binary"),
    out("records", column({"a": 1}), "holds struct"),
    Case("nothing but such columns", given(pa.table({"x": [1] * 9, "y": [None] * 9})), says="has no column to learn from"),
    Case("numbers of rows", given(pa.table({"good": NUMBERS, "row_id": range(ROWS)})), ROWS, says="numbers the rows",
         holds=no_numbers),
    number("infinity among numbers", column(*MIXED[1:], np.inf), "missing"),
    number("numbers of 1e308", column(*(v * 1e307 for v in MIXED), -1e308)),
    number("the smallest numbers there are", column(*(v * 1e-323 for v in MIXED))),
    number("one number of 1e300 beside small ones", column(*MIXED, 1e300)),
    number("64-bit whole numbers at their ends", column(*(2**63 - 1 - i**9 for i in range(12)), -(2**63))),
    number("decimals", column(*(Decimal(i * i) / 4 for i in range(12)), kind=pa.decimal128(20, 2))),
    number("dates", column(*DAYS)),
    number("dates of the years 1 and 9999", column(*DAYS, date(1, 1, 1), date(9999, 12, 31))),
    number("times with a zone", column(*(datetime(2024, 1, 1, tzinfo=UTC) + timedelta(i) for i in range(12)))),
    number("durations", column(*(timedelta(i * i, i) for i in range(12)))),
    Case("truth and null", given(column(True, False, None)), ROWS, says="% missing", holds=values("true", "false")),
    Case("3 and 3.0", given(column(3.0, 4.0, None)), ROWS, becomes="one category", holds=values("3", "4")),
    Case("1,000 categories", given(pa.table({"x": [f"n{i % 1000}" for i in range(4000)], "y": [1.5, 2.5] * 2000})), 4000,
         becomes="the rarer ones as one", holds=lambda f: int((codes(f) == OTHER).sum()) == 4000 - 4 * 256),
    Case("words and numbers in one column of a data frame", given(pd.DataFrame({"a": [1, "x"], "b": [1, 2]})),
         says="this data frame cannot be read"),
    Case("a label that is missing in all rows", given(column(1.5, 2.5).append_column("label", [[None] * ROWS])), ROWS,
         becomes="without labels", holds=lambda f: f.train.label is None or bool((f.train.label == -1).all())),
    Case("infinity among targets", given(column(1.5, 2.5).append_column("label", [[np.inf, 1.5] * 20])), ROWS,
         becomes="those without a target", holds=lambda f: int(f.train.label.isnan().sum()) == 20),
    Case("an array of three axes", given(np.zeros((3, 4, 5))), says="could not be read as table"),
    Case("an array of words", given(np.array([["a", "b"], ["a", "c"], ["b", "c"]])), 3,
         holds=lambda f: everything(f)["categorical"].shape == (3, 2)),
    Case("an array of complex numbers", given(np.ones((3, 2)) * 1j), says="cannot be read as a table"),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_each_table_is_read_or_refused(case: Case, tmp_path: Path) -> None:
    behaves(case, tmp_path, "table")
