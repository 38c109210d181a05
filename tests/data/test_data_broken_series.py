"""Series as they come: what each broken or unusual array, list or table of them becomes."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from broken import Case, behaves, everything, given, saved

WAVE = np.sin(np.arange(4 * 3 * 40) / 7).reshape(4, 3, 40).astype(np.float32)
TIMES = [f"2024-01-01 {h:02}:00:00" for h in range(24)]


def npy(x: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, x)
    return buffer.getvalue()


NPY = npy(WAVE)


def at(value: object, kind: str = "float32", every: bool = False) -> np.ndarray:
    """The wave with a value in its second series: one, or all of a channel."""
    x = WAVE.astype(kind)
    x[1, 0, slice(None) if every else 5] = value
    return x


def claims(shape: str) -> bytes:
    """The file with another shape in its head."""
    return NPY.replace(b"(4, 3, 40)", shape.encode().ljust(10))


def log(rows: list[str], head: str = "date,a,b") -> str:
    return "\n".join([head, *rows]) + "\n"


def hours(order: list[int]) -> str:
    return log([f"{TIMES[i]},{i},{i * i}" for i in order])


def ragged(*series: object) -> pa.Table:
    return pa.table({"x": pa.array(series, pa.list_(pa.list_(pa.float32())))})


def first_channel(*wanted: float):
    return lambda found: torch.equal(everything(found)[0, 0, : len(wanted)], torch.tensor(wanted))


def parquet(table: pa.Table, cut: bool = False):
    def make(folder: Path) -> Path:
        pq.write_table(table, folder / "x.parquet")
        content = (folder / "x.parquet").read_bytes()
        (folder / "x.parquet").write_bytes(content[: len(content) // 2] if cut else content)
        return folder / "x.parquet"

    return make


ONE = [[1.0, 2.0, 3.0, 4.0]]
TABLE = [
    Case("an empty file", saved(b"", "x.npy"), says="cannot be read as a NumPy file"),
    Case("zeros", saved(bytes(4096), "x.npy"), says="cannot be read as a NumPy file"),
    Case("an array cut in the middle", saved(NPY[:900], "x.npy"), says="cannot be read as a NumPy file"),
    Case("a head that claims 10 TB", saved(claims("(4,3,10**12)"), "x.npy"), says="cannot be read as a NumPy file"),
    Case("a length that is no number", saved(claims("('4', 3,)"), "x.npy"), says="cannot be read as a NumPy file"),
    Case("a table that is called an array", saved("a,b\n1,2\n", "x.npy"), says="cannot be read as a NumPy file"),
    Case("Python objects", saved(npy(np.array([{"a": 1}], object)), "x.npy"), says="never loaded from a file"),
    Case("words", saved(npy(np.array(["a", "b"])), "x.npy"), says="holds no series"),
    Case("complex numbers", given(WAVE + 1j), says="holds no series"),
    Case("no axis", given(np.array(1.5)), says="holds no series"),
    Case("four axes", given(WAVE[None]), says="holds no series"),
    Case("no samples", given(WAVE[:0]), says="holds no series"),
    Case("no steps", given(WAVE[:, :, :0]), says="holds no series"),
    Case("one sample of one step", given(WAVE[:1, :1, :1]), 1, holds=lambda f: everything(f).shape == (1, 1, 1)),
    Case("NaN", given(at(np.nan)), 4, says="missing, interpolated in time",
         holds=lambda f: torch.allclose(everything(f)[1, 0, 5], torch.tensor(float(WAVE[1, 0, 4] + WAVE[1, 0, 6]) / 2))),
    Case("infinity", given(at(-np.inf)), 4, says="missing, interpolated in time"),
    Case("1e300, too large for 32 bits", given(at(1e300, "float64")), 4, says="missing, interpolated in time"),
    Case("1e30 beside small numbers", given(at(1e30, "float64")), 4),
    Case("3e38, near the largest of 32 bits", given(at(3e38) * np.float32(1)), 4),
    Case("a channel without a number in one series", given(at(np.nan, every=True)), 4, says="missing",
         becomes="at its mean", holds=lambda f: len(everything(f)[1, 0].unique()) == 1),
    Case("a channel without a number in any", given(np.where(np.arange(3)[:, None] == 1, np.nan, WAVE)), 4,
         becomes="as 0", holds=lambda f: not everything(f)[:, 1].any()),
    Case("a series without a number", given([WAVE[0], np.full((3, 40), np.nan, np.float32)]), 1, 1, "holds no number"),
    Case("nothing but NaN", given(WAVE * np.nan), says="no series could be read"),
    Case("constant series", given(np.full((4, 3, 40), 1e6, np.float32)), 4, becomes="0 after scaling"),
    Case("the smallest numbers there are", given(np.float32(1e-45) * np.arange(480).reshape(4, 3, 40)), 4),
    Case("bits", given(WAVE > 0), 4, holds=lambda f: everything(f).unique().tolist() == [0, 1]),
    Case("64-bit whole numbers", given((WAVE * 2**62).astype(np.int64)), 4),
    Case("lists of other lengths", given([WAVE[0, 0], WAVE[1, 0, :7], WAVE[2, 0, :1]]), 3, becomes="as long as they are",
         holds=lambda f: everything(f).length.tolist() == [40, 7, 1]),
    Case("lists of other channels", given([WAVE[0], WAVE[1], WAVE[2, :2]]), 2, 1, "has 2 channels, not 3"),
    Case("None and words in a list", given([WAVE[0], None, "abc"]), 1, 2, "is no array of numbers"),
    Case("null and empty lists", parquet(ragged(ONE, None, [], [[]])), 1, 3, "is empty"),
    Case("null for a channel", parquet(ragged(ONE + ONE, [ONE[0], None])), 1, 1, "has channels of different lengths"),
    Case("null for a value", parquet(ragged(ONE, [[1.0, None, 3.0, 4.0]])), 2, says="missing, interpolated",
         holds=lambda f: everything(f)[1, 0].tolist() == [1, 2, 3, 4]),
    Case("channels of different lengths", parquet(ragged(ONE, [[1.0, 2.0], [3.0]])), 1, 1, "has channels of different"),
    Case("Parquet cut in the middle", parquet(ragged(ONE, ONE), cut=True), says="cannot be read as a Parquet file"),
    Case("times out of order", saved(hours([*range(12, 24), *range(12)]), "x.csv"), 1,
         says="rows put in order of time", holds=first_channel(*range(16))),
    Case("times that come twice", saved(hours([0, 0, *range(1, 16)]), "x.csv"), 1, holds=first_channel(0, 0, 1, 2)),
    Case("a missing time", saved(log([",7,7", *(f"{TIMES[i]},{i},1" for i in range(15))]), "x.csv"), 1,
         becomes="at the end", holds=first_channel(0, 1, 2)),
    Case("a missing value", saved(log([f"{TIMES[i]},{'' if i == 3 else i},1" for i in range(16)]), "x.csv"), 1,
         says="missing, interpolated in time", holds=first_channel(0, 1, 2, 3, 4)),
    Case("a column without a value", saved(log([f"{TIMES[i]},{i}," for i in range(16)]), "x.csv"), 1, says="50 % missing",
         becomes="that channel as 0", holds=lambda f: not everything(f)[:, 1].any()),
    Case("two columns of one name", saved(log([f"{t},1,2" for t in TIMES], "date,a,a"), "x.csv"), says='two columns "a"'),
    Case("a row with one cell more", saved(hours([*range(16)]) + "2024-01-02,1,2,3\n", "x.csv"), says="as a CSV file"),
    Case("a word among the numbers", saved(hours([*range(16)]) + "2024-01-02 00:00:00,x,2\n", "x.csv"), 17,
         becomes="its column left out, each row a sample", says="columns that are no numbers left out: date, a"),
    Case("fewer rows than a window", saved("a,b\n1,2\n", "x.csv"), 1, becomes="a row as a series",
         holds=lambda f: everything(f).tolist() == [[[1, 2]]]),
    Case("a data frame with two columns of one name",
         given(pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])), says="Duplicate column names"),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_each_series_is_read_left_out_or_refused(case: Case, tmp_path: Path) -> None:
    behaves(case, tmp_path, "series")
