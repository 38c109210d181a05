"""Small pieces of real files, from which guided fuzzing begins beside the good ones of ``fuzz.GOOD``."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

LARGEST = 2**16  #: bytes; a larger piece would only slow mutation down

Cut = Callable[[Path, str], Iterator[bytes]]


def pieces(folder: Path) -> Iterator[tuple[str, bytes]]:
    """``(name as in fuzz.GOOD, content)`` of what is there below ``$ANYVIEW_DATA``."""
    for dataset, names, cut in PIECES:
        path = folder / dataset
        for name in names if path.is_file() else ():
            yield from ((name, content) for content in cut(path, name) if len(content) <= LARGEST)


def _rows(count: int, columns: list[str] | None = None) -> Cut:
    """The first rows of a table, in the form that the name says."""

    def cut(path: Path, name: str) -> Iterator[bytes]:
        rows = next(pq.ParquetFile(path).iter_batches(count, columns=columns))
        out = io.BytesIO()
        if name.endswith(".parquet"):
            pq.write_table(pa.Table.from_batches([rows]), out)
        elif name.endswith(".txt"):
            out.write("\n".join(" ".join(text.split()) for text in rows.column(0).to_pylist()).encode())
        else:
            pa.csv.write_csv(rows, out)
        yield out.getvalue()

    return cut


def _cells(column: str) -> Cut:
    """The first encoded images or recordings of a column."""

    def cut(path: Path, name: str) -> Iterator[bytes]:
        for value in next(pq.ParquetFile(path).iter_batches(3, columns=[column])).column(0).to_pylist():
            yield value["bytes"] if isinstance(value, dict) else value

    return cut


def _whole(path: Path, name: str) -> Iterator[bytes]:
    yield path.read_bytes()


def _array(path: Path, name: str) -> Iterator[bytes]:
    """The first two series, which have one length."""
    rows: Any = next(pq.ParquetFile(path).iter_batches(2, columns=["x"])).column(0).to_pylist()
    out = io.BytesIO()
    np.save(out, np.array(rows, np.float32))
    yield out.getvalue()


#: below the folder of datasets, what it may be called as, and what is taken of it
PIECES: list[tuple[str, list[str], Cut]] = [
    ("cifar10/test.parquet", ["a.png", "a.jpg"], _cells("image")),
    ("rsscn7_64/test.parquet", ["a.jpg", "a.tiff"], _cells("image")),
    ("fsdd/test.parquet", ["a.wav", "a.flac"], _cells("audio")),
    ("adult/test.parquet", ["t.csv", "t.parquet"], _rows(20)),
    ("grocery_events/events.parquet", ["e.csv"], _rows(40)),
    ("etth1/series.parquet", ["s.csv"], _rows(40)),
    ("ts_basicmotions/test.parquet", ["v.npy"], _array),
    ("movie_reviews/test.parquet", ["w.txt"], _rows(2, ["text"])),
    ("mol_esol/all.parquet", ["m.csv"], _rows(10)),
    ("tu_mutag/graphs.npz", ["g.npz"], _whole),
    ("emoji/noto.parquet", ["c.parquet"], _rows(4, ["image", "name", "group"])),
]
