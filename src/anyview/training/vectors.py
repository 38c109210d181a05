"""Embeddings in files that other tools read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anyview.data.source import Source
from anyview.files import write_atomic


def _npy(path: Path, vectors: np.ndarray, source: Source) -> None:
    with path.open("wb") as f:
        np.save(f, vectors)


def _parquet(path: Path, vectors: np.ndarray, source: Source) -> None:
    """Columns ``index`` int64, ``label`` int64 where there is one, ``vector`` fixed-size list of float32."""
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), pa.float32())
    columns = {"index": pa.array(np.arange(len(vectors)))}
    if source.label is not None:
        columns["label"] = pa.array(source.label.numpy())
    columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    pq.write_table(pa.table(columns), path, compression="zstd")


FORMATS: dict[str, Callable[[Path, np.ndarray, Source], None]] = {".parquet": _parquet, ".npy": _npy}


def write_vectors(path: Path, vectors: np.ndarray, source: Source) -> None:
    """Writes embeddings by the ending of ``path``, whole or not at all.

    Raises:
        RunError: when the file cannot be written.
    """
    write_atomic(path, lambda part: FORMATS[path.suffix](part, vectors, source))
