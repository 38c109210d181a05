"""What may lie at a place, before anyone knows its modality: files, tables, arrays, archives or objects."""

import contextlib
import hashlib
import json
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from anyview.data.streamed import AT_ONCE, Shelf
from anyview.data.workers import cores
from anyview.errors import InputError, RunError
from anyview.files import parse_json

#: other names that people give to splits
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
#: a table above this is memory-mapped from an Arrow file in the cache, in bytes
MAX_TABLE_BYTES = 2**30


@dataclass
class Files:
    """Files below a folder; ``paths`` are relative to ``root`` and sorted."""

    root: Path
    paths: list[str]

    def __len__(self) -> int:
        return len(self.paths)


@dataclass
class Table:
    """Columns in Arrow form, read when a reader asks for them; relative paths start from ``folder``, and name shards
    of ``remote`` where there is one."""

    name: str
    schema: pa.Schema
    rows: int
    files: list[Path] = field(default_factory=list)
    held: pa.Table | None = None
    folder: Path | None = None
    remote: Shelf | None = None

    def __post_init__(self) -> None:
        names = self.schema.names
        twice = (
            next((name for name in names if names.count(name) > 1), None)
            if len(set(names)) < len(names)
            else None
        )
        if twice is not None:
            raise InputError(f'{self.name} has two columns "{twice}"; rename one of them')

    def __len__(self) -> int:
        return self.rows

    def columns(self, names: list[str]) -> pa.Table:
        if self.held is not None:
            return self.held.select(names)
        with readable(self.name, "a Parquet file"):
            parts = [_read_parquet(path, names) for path in self.files]
            return parts[0] if len(parts) == 1 else pa.concat_tables(parts, promote_options="permissive")

    def class_names(self, column: str) -> list[str] | None:
        """Names of the classes of an integer column, from the schema's metadata."""
        metadata = self.schema.metadata or {}
        own = b"label_names" if column == "label" else f"{column}_names".encode()
        if own in metadata:
            with readable(self.name, "a table with names of classes"):
                return _names(parse_json(metadata[own]))
        names = self.feature(column).get("names")
        return None if names is None else _names(names)

    def feature(self, column: str) -> dict[str, Any]:
        """What Hugging Face's metadata say of a column; empty when they say nothing."""
        metadata = (self.schema.metadata or {}).get(b"huggingface", b"{}")
        with readable(self.name, "a table of Hugging Face"):
            found = parse_json(metadata)
        for key in ("info", "features", column):
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    def head(self, column: str, rows: int = 8) -> pa.ChunkedArray:
        """The first values of a column, without reading the rest."""
        if self.held is not None:
            return self.held.column(column).slice(0, rows)
        with readable(self.name, "a Parquet file"):
            batches = pq.ParquetFile(self.files[0]).iter_batches(rows, columns=[column])
            first = next(iter(batches), None)
        return pa.chunked_array(
            [first.column(0)] if first is not None else [], self.schema.field(column).type
        )


@dataclass
class Arrays:
    """One array of all samples, and perhaps their labels."""

    x: np.ndarray | torch.Tensor
    y: Any = None
    label_names: list[str] | None = None

    def __len__(self) -> int:
        return len(self.x)


@dataclass
class Archive:
    """Named arrays of one ``.npz`` that is more than samples and labels: a graph, volumes with their sizes."""

    name: str
    arrays: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))


@dataclass
class Objects:
    """Anything with a length that gives a sample, or (sample, label), by number."""

    items: Any

    def __len__(self) -> int:
        return len(self.items)


Part = Files | Table | Arrays | Archive | Objects


@dataclass
class Found:
    """All that was found at one place: a part of one kind for every split."""

    name: str
    splits: dict[str, Part]

    @property
    def first(self) -> Part:
        return self.splits.get("train", next(iter(self.splits.values())))


@contextlib.contextmanager
def readable(name: str, what: str) -> Iterator[None]:
    """Turns the errors of a broken file into one line."""
    try:
        yield
    except (
        OSError,
        ValueError,
        EOFError,
        OverflowError,
        RuntimeError,  # of zip: an encrypted member, a compression that is not known
        MemoryError,  # of arrays that claim to be larger than any machine
        SyntaxError,  # of NumPy's headers, which are literals of Python
        tokenize.TokenError,
        zipfile.BadZipFile,
        zlib.error,
        pa.ArrowException,
    ) as error:
        if isinstance(error, InputError | RunError):
            raise
        raise InputError(f"{name} cannot be read as {what} ({_one_line(error)})") from error


def _names(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise InputError("names of classes in a table's metadata are no list; write them as a list of words")
    return [str(name) for name in value]


def _read_parquet(path: Path, names: list[str]) -> pa.Table:
    """Columns of a Parquet file; above ``MAX_TABLE_BYTES`` memory-mapped from an Arrow file in the cache."""
    file = pq.ParquetFile(path)
    held = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
    if held <= MAX_TABLE_BYTES:
        table = file.read(names)
        table.validate(full=True)  # Arrow itself takes any bytes for a string
        return table
    stat = path.stat()
    key = json.dumps([str(path.resolve()), stat.st_size, stat.st_mtime_ns, names])
    copy = cache_folder() / "arrow" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.arrow"
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        part = copy.with_name(f".{copy.name}.{os.getpid()}")
        schema = pa.schema([file.schema_arrow.field(name) for name in names])
        with pa.OSFile(str(part), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for batch in file.iter_batches(1024, columns=names):
                writer.write_batch(batch.select(names).cast(schema))
        part.replace(copy)
    return pa.ipc.open_file(pa.memory_map(str(copy))).read_all()


def is_far(part: Part) -> bool:
    """Whether its samples lie in shards at an address."""
    return isinstance(part, Table) and part.remote is not None


def threads(part: Part) -> int:
    """In how many threads samples are read: one for each core, more where a network is waited for."""
    return AT_ONCE if is_far(part) else cores()


def cache_folder() -> Path:
    """Where fetched and converted data are kept: $ANYVIEW_CACHE, else ~/.cache/anyview."""
    return Path(os.environ.get("ANYVIEW_CACHE") or "~/.cache/anyview").expanduser()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
