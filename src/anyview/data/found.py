"""What lies at a place, before anyone knows its modality: files, tables, arrays or objects, by split."""

import contextlib
import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from anyview.errors import InputError, nearest

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
_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}
_X = {"x", "image", "images", "data", "sample", "samples"}
_Y = {"y", "label", "labels", "target", "targets"}


@dataclass
class Files:
    """Files below a folder; ``paths`` are relative to ``root`` and sorted."""

    root: Path
    paths: list[str]

    def __len__(self) -> int:
        return len(self.paths)


@dataclass
class Table:
    """Columns in Arrow form, read when a reader asks for them; relative paths start from ``folder``."""

    name: str
    schema: pa.Schema
    rows: int
    files: list[Path] = field(default_factory=list)
    held: pa.Table | None = None
    folder: Path | None = None

    def __len__(self) -> int:
        return self.rows

    def columns(self, names: list[str]) -> pa.Table:
        if self.held is not None:
            return self.held.select(names)
        with readable(self.name, "a Parquet file"):
            return pa.concat_tables([_read_parquet(path, names) for path in self.files])

    def class_names(self, column: str) -> list[str] | None:
        """Names of the classes of an integer column, from the schema's metadata."""
        metadata = self.schema.metadata or {}
        own = b"label_names" if column == "label" else f"{column}_names".encode()
        if own in metadata:
            return [str(name) for name in json.loads(metadata[own])]
        names = self.feature(column).get("names")
        return None if names is None else [str(name) for name in names]

    def feature(self, column: str) -> dict[str, Any]:
        """What Hugging Face's metadata say of a column; empty when they say nothing."""
        metadata = (self.schema.metadata or {}).get(b"huggingface", b"{}")
        features = json.loads(metadata).get("info", {}).get("features", {})
        feature = features.get(column) if isinstance(features, dict) else None
        return feature if isinstance(feature, dict) else {}

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
class Objects:
    """Anything with a length that gives a sample, or (sample, label), by number."""

    items: Any

    def __len__(self) -> int:
        return len(self.items)


Part = Files | Table | Arrays | Objects


@dataclass
class Found:
    """All that was found at one place: a part of one kind for every split."""

    name: str
    splits: dict[str, Part]

    @property
    def first(self) -> Part:
        return self.splits.get("train", next(iter(self.splits.values())))


def look(data: Any, name: str | None = None) -> Found:
    """What ``data`` holds: a path, an array, (x, y), a dict of splits, a Hugging Face or torch dataset.

    Raises:
        InputError: for a missing path, or an object that is none of these.
    """
    if isinstance(data, str | os.PathLike):
        return _look_at_path(Path(data).expanduser())
    if isinstance(data, Mapping):
        return _join(data, name)
    tried = (kind(data) for kind in (_arrays, _hugging_face, _objects))
    part = next((part for part in tried if part is not None), None)
    if part is None:
        raise InputError(
            f"cannot open {_kind(data)}; give a path, an array, (x, y), a dict of splits, "
            "or a dataset with __len__ and __getitem__"
        )
    return Found(name or _kind(data), {"train": part})


@contextlib.contextmanager
def readable(name: str, what: str) -> Iterator[None]:
    """Turns the errors of a broken file into one line."""
    try:
        yield
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, pa.ArrowException) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} cannot be read as {what} ({_one_line(error)})") from error


# ---- paths


def _look_at_path(path: Path) -> Found:
    if path.is_dir():
        tables = sorted(p for p in path.glob("*.parquet") if not p.name.startswith("."))
        return _parquet(path, tables) if tables else _folder(path)
    if not path.exists():
        raise missing(path)
    if path.suffix == ".parquet":
        return _parquet(path, [path])
    if path.suffix in (".npy", ".npz"):
        return _numpy_file(path)
    return Found(path.name, {"train": Files(path.parent, [path.name])})


def missing(path: Path, names: Sequence[str] = ()) -> InputError:
    """The error for a path that is not there; ``names`` could have been meant too."""
    here = path.parent
    while not here.is_dir():
        path, here = here, here.parent
    beside = [entry.name for entry in os.scandir(here)]
    guess = nearest(path.name, [*beside, *names])
    hint = ""
    if guess:
        hint = f'; did you mean "{guess if guess in names or here == Path() else here / guess}"?'
    known = f" (named datasets: {', '.join(names)})" if names else ""
    return InputError(f'there is no "{path}"{hint}{known}')


def _folder(root: Path) -> Found:
    paths = sorted(_walk(root, "", {os.path.realpath(root)}))
    if not paths:
        raise InputError(f"{root}/ is empty. Give a folder with files in it")
    tops = {path.split("/", 1)[0] for path in paths if "/" in path}
    if not tops or any(top.lower() not in SPLIT_NAMES for top in tops):
        return Found(root.resolve().name, {"train": Files(root, paths)})
    splits: dict[str, Part] = {}
    for top in sorted(tops, key=lambda t: list(SPLIT_NAMES).index(t.lower())):
        inside = [path[len(top) + 1 :] for path in paths if path.startswith(f"{top}/")]
        split = SPLIT_NAMES[top.lower()]
        if split in splits:
            raise InputError(f"{root}/ has two folders for the {split} split; keep one of them")
        splits[split] = Files(root / top, inside)
    return Found(root.resolve().name, splits)


def _walk(root: Path, below: str, seen: set[str]) -> Iterator[str]:
    """Relative paths of all files; hidden ones are left out, links are followed but never in a circle."""
    with os.scandir(root / below) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _JUNK:
                continue
            path = f"{below}{entry.name}"
            if not entry.is_dir():
                yield path
                continue
            if entry.is_symlink():
                real = os.path.realpath(entry.path)
                if real in seen:
                    continue
                seen.add(real)
            yield from _walk(root, f"{path}/", seen)


def _parquet(path: Path, files: list[Path]) -> Found:
    """Every NAME.parquet is a split, NAME-00000-of-00005.parquet a part of one; a single file is train."""
    grouped: dict[str, list[Path]] = {}
    for file in files:
        stem = re.sub(r"-\d+-of-\d+$", "", file.stem)
        grouped.setdefault(SPLIT_NAMES.get(stem.lower(), stem), []).append(file)
    if path.is_file():
        grouped = {"train": files}
    splits: dict[str, Part] = {}
    order = list(dict.fromkeys(SPLIT_NAMES.values()))
    for split in sorted(grouped, key=lambda s: (order.index(s) if s in order else len(order), s)):
        parts = grouped[split]
        with readable(parts[0].name, "a Parquet file"):
            rows = sum(pq.read_metadata(file).num_rows for file in parts)
            schema = pq.read_schema(parts[0])
        splits[split] = Table(parts[0].name, schema, rows, parts, folder=parts[0].parent)
    return Found(path.resolve().stem if path.is_file() else path.resolve().name, splits)


def _read_parquet(path: Path, names: list[str]) -> pa.Table:
    """Columns of a Parquet file; above ``MAX_TABLE_BYTES`` memory-mapped from an Arrow file in the cache."""
    file = pq.ParquetFile(path)
    held = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
    if held <= MAX_TABLE_BYTES:
        return file.read(names)
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


def cache_folder() -> Path:
    """Where fetched and converted data are kept: $ANYVIEW_CACHE, else ~/.cache/anyview."""
    return Path(os.environ.get("ANYVIEW_CACHE") or "~/.cache/anyview").expanduser()


# ---- arrays


def _numpy_file(path: Path) -> Found:
    try:
        with readable(path.name, "a NumPy file"):
            loaded = np.load(path, allow_pickle=False)
            arrays = {"x": loaded} if path.suffix == ".npy" else dict(loaded)
    except InputError as error:
        if "pickle" in str(error).lower():
            raise InputError(
                f"{path.name} holds Python objects, and these are never loaded from a file; save plain arrays"
            ) from error
        raise
    splits: dict[str, dict[str, np.ndarray]] = {}
    names = None
    for key, array in arrays.items():
        words = key.lower().split("_")
        split = next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "train")
        if key == "label_names":
            names = [str(name) for name in array]
        elif _X & set(words):
            splits.setdefault(split, {})["x"] = array
        elif _Y & set(words):
            splits.setdefault(split, {})["y"] = array
    whole = {split: part for split, part in splits.items() if "x" in part}
    if not whole:
        raise InputError(
            f"{path.name} has no array of samples (arrays: {', '.join(arrays)}); "
            "call it x or images, with y or labels, or x_train, y_train, x_test, y_test"
        )
    return Found(path.stem, {s: Arrays(part["x"], part.get("y"), names) for s, part in whole.items()})


def _arrays(data: Any) -> Arrays | None:
    array = (np.ndarray, torch.Tensor)
    if isinstance(data, array):
        return Arrays(data)
    pair = isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], array)
    if pair and (data[1] is None or (hasattr(data[1], "__len__") and np.ndim(data[1]) in (1, 2))):
        return Arrays(*data)
    return None


# ---- datasets of other libraries


def _join(data: Mapping[str, Any], name: str | None) -> Found:
    """A dict of splits: every value is looked at alone, and all must be of one kind."""
    if not data:
        raise InputError("there is nothing in this dict; give splits, such as {'train': (x, y)}")
    parts = {SPLIT_NAMES.get(str(key).lower(), str(key)): look(value).first for key, value in data.items()}
    kinds = {type(part).__name__.lower() for part in parts.values()}
    if len(kinds) > 1:
        raise InputError(
            f"the splits are of different kinds ({', '.join(sorted(kinds))}); give all as one kind"
        )
    return Found(name or "data", parts)


def _hugging_face(data: Any) -> Table | None:
    if not (type(data).__module__.startswith("datasets.") and hasattr(data, "features")):
        return None
    if not hasattr(data, "__len__"):
        raise InputError("this Hugging Face dataset streams; load it without streaming=True")
    features = {name: _feature(feature) for name, feature in data.features.items()}
    held = data.with_format("arrow")[:]
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    held = held.replace_schema_metadata(metadata)
    return Table(str(data.info.dataset_name or "data"), held.schema, held.num_rows, held=held)


def _feature(feature: Any) -> dict[str, Any]:
    names = getattr(feature, "names", None)
    return {"_type": type(feature).__name__, **({"names": list(names)} if names else {})}


def _objects(data: Any) -> Objects | None:
    by_number = hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, bytes)
    return Objects(data) if by_number else None


def _kind(data: Any) -> str:
    return type(data).__name__


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
