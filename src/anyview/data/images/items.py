"""Where images lie in what was found: one list of items for every split, with their labels."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from jaxtyping import Int
from PIL import Image
from torch import Tensor

from anyview.data import labels
from anyview.data.images.pixels import EXTENSIONS, read_header
from anyview.data.parts import Files, Found, Objects, Table
from anyview.data.shards import read_place
from anyview.data.source import Items, Skipped, UnreadableError
from anyview.data.streamed import Shelf
from anyview.errors import InputError


@dataclass
class Split:
    """Images of one split before decoding: what ``Canvas`` takes, and how a person finds each again."""

    items: Items
    where: Callable[[int], str]
    label: Tensor | None = None
    masks: Items | None = None  #: maps of the classes of pixels


@dataclass
class Collected:
    """All splits, the names of their classes, and the files that are no images."""

    splits: dict[str, Split]
    label_names: list[str] | None = None
    skipped: list[Skipped] = field(default_factory=list)
    segment_names: list[str] | None = None
    unsegmented: tuple[int, ...] = ()  #: numbers in masks that are no class


@dataclass
class Where:
    """``data.parquet row 17``; a class so that a worker process can be given it."""

    name: str

    def __call__(self, i: int) -> str:
        return f"{self.name} row {i}"


# ---- files


def is_image_file(path: str | os.PathLike[str]) -> bool:
    """By its extension; a file without one is opened."""
    extension = os.path.splitext(path)[1].lower()
    if extension:
        return extension in EXTENSIONS
    try:
        read_header(path)
    except UnreadableError:
        return False
    return True


def from_files(found: Found) -> Collected:
    images: dict[str, Files] = {}
    skipped: list[Skipped] = []
    for name, part in found.splits.items():
        assert isinstance(part, Files)
        kept = []
        for path in part.paths:
            full = str(part.root / path)
            if is_image_file(full):
                kept.append(path)
            else:
                skipped.append(Skipped(full, "is no image file"))
        if kept:
            images[name] = Files(part.root, kept)
    by_split, names = labels.of_folders(Found(found.name, dict(images)))
    splits = {}
    for name, files in images.items():
        paths = [str(files.root / path) for path in files.paths]
        splits[name] = Split(paths, paths.__getitem__, by_split[name])
    return Collected(splits, names, skipped)


# ---- tables


@dataclass
class Encoded:
    """Encoded images of an Arrow column: bytes, {bytes, path} as Hugging Face datasets keep them, or the place of
    bytes in a shard, which may lie at an address."""

    column: pa.ChunkedArray
    folder: str
    remote: Shelf | None = None

    @classmethod
    def of(cls, table: Table, name: str, head: bool = False) -> "Encoded":
        """A column of a table, or its first values."""
        column = table.head(name) if head else table.columns([name]).column(name)
        return cls(column, str(table.folder or ""), table.remote)

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, i: int) -> bytes | str:
        value = self.column[i].as_py()
        if isinstance(value, dict):
            path = value.get("path")
            if path and value.get("size") is not None:
                value = self._of_shard(path, value["offset"], value["size"])
            else:
                value = value.get("bytes") or (inside(self.folder, path) if path else None)
        if not value:
            raise UnreadableError("is empty")
        return value

    def _of_shard(self, path: str, offset: int, size: int) -> bytes:
        if self.remote is not None:
            return self.remote.read(path, offset, size)
        try:
            return read_place(inside(self.folder, path), offset, size)
        except OSError as error:
            raise UnreadableError(error.strerror or str(error)) from error

    def shards(self) -> Int[Tensor, "rows"] | None:
        """The shard of each row by its number at the address, -1 where a row has none; None for what lies here."""
        if self.remote is None:
            return None
        names = pc.struct_field(self.column, "path").dictionary_encode().unify_dictionaries()
        number = np.array([self.remote.number[n] for n in names.chunk(0).dictionary.to_pylist()] + [-1])
        place = pc.fill_null(pa.chunked_array([c.indices for c in names.chunks]), len(number) - 1)
        return torch.from_numpy(number[place.to_numpy()])


def inside(folder: str, path: str) -> str:
    """The place of a file that data name; what a stranger's table names never leads out of its folder.

    Raises:
        UnreadableError: when it would.
    """
    if folder and (os.path.isabs(path) or os.path.normpath(path).split(os.sep)[0] == os.pardir):
        raise UnreadableError("lies outside of the folder")
    return os.path.join(folder, path)


def image_column(table: Table) -> str | None:
    """The column that holds images: one that says so, else one whose first values open as images."""
    columns = [f.name for f in table.schema if _may_be_encoded(f.type)]
    for name in sorted(columns, key=lambda name: name != "image"):
        kind = table.feature(name).get("_type")
        if kind == "Image" or (kind is None and _opens(table, name)):
            return name
    return None


def _may_be_encoded(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _opens(table: Table, name: str) -> bool:
    items = Encoded.of(table, name, head=True)
    for i in range(len(items)):
        try:
            read_header(items[i])
        except UnreadableError:
            continue
        return True
    return False


def from_tables(found: Found, label: str | None) -> Collected:
    by_split, names = labels.of_table(found, label)
    splits: dict[str, Split] = {}
    out = Collected(splits, names)
    for name, table in found.splits.items():
        assert isinstance(table, Table)
        column = image_column(table)
        if column is None:
            raise InputError(
                f"{table.name} has no column of images (columns: {', '.join(table.schema.names)})"
            )
        items = Encoded.of(table, column)
        splits[name] = Split(items, Where(table.name), by_split[name], _masks(table))
        if splits[name].masks is not None:
            out.segment_names, out.unsegmented = _segments(table)
    return out


MASK = "mask"  #: the column of maps of classes
#: names of what is no class
NAMELESS = ("void", "unlabelled", "unlabeled", "ignore")


def _masks(table: Table) -> Encoded | None:
    """The maps of classes of a table that has some."""
    if MASK not in table.schema.names or not _may_be_encoded(table.schema.field(MASK).type):
        return None
    return Encoded.of(table, MASK)


def _segments(table: Table) -> tuple[list[str] | None, tuple[int, ...]]:
    """Names of the classes of pixels, and the numbers that stand for none: those that the table names so, and
    ``ignore_index`` of its metadata."""
    names = table.class_names(MASK)
    if names is None and "label" not in table.schema.names:
        names = table.class_names("label")
    without = [i for i, name in enumerate(names or []) if name.lower() in NAMELESS]
    ignored = (table.schema.metadata or {}).get(b"ignore_index", b"")
    without += [int(ignored)] if ignored.isdigit() else []
    return names, tuple(dict.fromkeys(without))


# ---- objects


class Samples:
    """Images of a dataset of another library, by number; labels that come with them are kept in ``seen``."""

    def __init__(self, items: Any) -> None:
        self.items = items
        self.seen: list[Any] = [None] * len(items)

    def __len__(self) -> int:
        return len(self.seen)

    def __getitem__(self, i: int) -> Any:
        try:
            image, self.seen[i] = split_sample(self.items[i])
        except Exception as error:  # another library's code
            raise UnreadableError(f"{type(error).__name__}: {error}") from error
        return image


def split_sample(sample: Any) -> tuple[Any, Any]:
    """(image, label) of what a dataset gives for one sample; label None when there is none."""
    if isinstance(sample, dict):
        return sample.get("image"), sample.get("label")
    if isinstance(sample, tuple | list) and len(sample) >= 1:
        return sample[0], (sample[1] if len(sample) > 1 else None)
    return sample, None


def gives_images(objects: Objects) -> bool:
    """Whether the first sample is an image, or the path of one."""
    try:
        image, _ = split_sample(objects.items[0])
        if isinstance(image, str | os.PathLike):
            return is_image_file(image)
        if not isinstance(image, Image.Image | bytes | np.ndarray | Tensor):
            return False
        read_header(image)
    except Exception:  # another library's code, or no image
        return False
    return True


def from_objects(found: Found) -> Collected:
    """Labels are taken from ``targets`` or ``labels`` of the dataset here, else they come while decoding."""
    splits, raw = {}, {}
    for name, part in found.splits.items():
        assert isinstance(part, Objects)
        splits[name] = Split(Samples(part.items), Where(f"{found.name} {name}"))
        given = getattr(part.items, "targets", getattr(part.items, "labels", None))
        whole = given is not None and hasattr(given, "__len__") and len(given) == len(part)
        raw[name] = given if whole else None
    by_split, names = labels.encode(raw)
    for name, split in splits.items():
        split.label = by_split[name]
    return Collected(splits, names)


def late_labels(splits: dict[str, Split]) -> tuple[dict[str, Tensor | None], list[str] | None]:
    """Labels that came with the images while these were decoded."""
    raw: dict[str, Any] = {}
    for name, split in splits.items():
        seen = split.items.seen if isinstance(split.items, Samples) else []
        raw[name] = seen if any(item is not None for item in seen) else None
    return labels.encode(raw)
