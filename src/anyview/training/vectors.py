"""Embeddings in files that other tools read: all in one, or a folder of parts that many processes write."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from anyview.data.source import Source
from anyview.files import write_atomic

Parts = Mapping[str, tuple[np.ndarray, Source]]  #: split -> its embeddings and what they are of


def _npy(path: Path, parts: Parts) -> None:
    with path.open("wb") as f:
        np.save(f, np.concatenate([vectors for vectors, _ in parts.values()]))


def _parquet(path: Path, parts: Parts) -> None:
    """Columns ``split`` where there are several, ``index`` in it, ``label`` where there is one, and ``vector``, a
    fixed-size list of float32."""
    several = len(parts) > 1
    tables = [table(v, source, split if several else None) for split, (v, source) in parts.items()]
    pq.write_table(pa.concat_tables(tables, promote_options="default"), path, compression="zstd")


def table(vectors: np.ndarray, source: Source, split: str | None, start: int = 0) -> pa.Table:
    """Embeddings of a source whose first sample is that of number ``start`` in the split."""
    columns = {} if split is None else {"split": pa.array([split] * len(vectors))}
    columns["index"] = pa.array(np.arange(start, start + len(vectors)))
    if source.label is not None:
        columns["label"] = pa.array(source.label.numpy())
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), pa.float32())
    columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.table(columns)


FORMATS: dict[str, Callable[[Path, Parts], None]] = {".parquet": _parquet, ".npy": _npy}


def write_vectors(path: Path, parts: Parts) -> None:
    """Writes embeddings by the ending of ``path``, whole or not at all.

    Args:
        parts: of one split or several, written in order.

    Raises:
        RunError: when the file cannot be written.
    """
    write_atomic(path, lambda part: FORMATS[path.suffix](part, parts))


class Part(NamedTuple):
    """Samples ``start`` to ``end`` of a split, whose embeddings are one file."""

    name: str
    split: str
    start: int
    end: int


def parts_of(sizes: Mapping[str, int], rows: int) -> list[Part]:
    """All samples of all splits, in order, ``rows`` at a time."""
    cuts = [(split, at, min(at + rows, n)) for split, n in sizes.items() for at in range(0, n, rows)]
    return [Part(f"part-{i:06d}.parquet", *cut) for i, cut in enumerate(cuts)]


def write_parts(
    folder: Path,
    sources: Mapping[str, Source],
    embed: Callable[[Source], np.ndarray],
    rows: int,
    rank: int = 0,
    processes: int = 1,
) -> Iterator[tuple[Part, bool]]:
    """Embeddings as a folder of Parquet files, which readers of Parquet take for one table.

    Process ``rank`` of ``processes`` makes every such part in turn, whole or not at all, and leaves those that are
    there; no more than a part is held in memory.

    Args:
        rows: samples of a part.

    Yields:
        Each part of this process, and whether it was made now.

    Raises:
        RunError: when a file cannot be written.
    """
    several = len(sources) > 1
    for part in parts_of({name: len(source) for name, source in sources.items()}, rows)[rank::processes]:
        missing = not (folder / part.name).is_file()
        if missing:
            source = sources[part.split].take(torch.arange(part.start, part.end))
            found = table(embed(source), source, part.split if several else None, part.start)
            write_atomic(folder / part.name, partial(pq.write_table, found, compression="zstd"))
        yield part, missing
