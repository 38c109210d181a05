"""Embeddings in files that other tools read."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anyview.data.source import Source
from anyview.files import write_atomic

Parts = Mapping[str, tuple[np.ndarray, Source]]  #: split -> its embeddings and what they are of


def _npy(path: Path, parts: Parts) -> None:
    with path.open("wb") as f:
        np.save(f, np.concatenate([vectors for vectors, _ in parts.values()]))


def _parquet(path: Path, parts: Parts) -> None:
    """Columns ``split`` where there are several, ``index`` in it, ``label`` where there is one, and ``vector``, a
    fixed-size list of float32."""
    tables = []
    for split, (vectors, source) in parts.items():
        flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), pa.float32())
        columns = {"split": pa.array([split] * len(vectors))} if len(parts) > 1 else {}
        columns["index"] = pa.array(np.arange(len(vectors)))
        if source.label is not None:
            columns["label"] = pa.array(source.label.numpy())
        columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        tables.append(pa.table(columns))
    pq.write_table(pa.concat_tables(tables, promote_options="default"), path, compression="zstd")


FORMATS: dict[str, Callable[[Path, Parts], None]] = {".parquet": _parquet, ".npy": _npy}


def write_vectors(path: Path, parts: Parts) -> None:
    """Writes embeddings by the ending of ``path``, whole or not at all.

    Args:
        parts: of one split or several, written in order.

    Raises:
        RunError: when the file cannot be written.
    """
    write_atomic(path, lambda part: FORMATS[path.suffix](part, parts))
