"""WebDataset shards: tar files whose members are samples, read in any order and never unpacked.

Members of one name up to its first dot are a sample: ``0042.jpg``, ``0042.cls``, ``0042.txt``. Shards are indexed by
their headers once, so that any sample can be read by its place: a run that is resumed goes on at the batch it left.
"""

import contextlib
import re
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from anyview.data.audio import waves
from anyview.data.images import pixels
from anyview.data.parts import SPLIT_NAMES, Found, Part, Table, readable
from anyview.data.streamed import Shelf
from anyview.errors import InputError

#: column -> endings of the members that it holds
ENCODED = {
    "image": tuple(sorted(ending.removeprefix(".") for ending in pixels.EXTENSIONS)),
    "audio": tuple(sorted(ending.removeprefix(".") for ending in waves.EXTENSIONS)),
}
#: column -> endings of small members that are read with the index
WRITTEN = {"text": ("txt", "caption"), "label": ("cls",)}
COLUMNS = (*ENCODED, *WRITTEN)
COLUMN = {ending: column for column, endings in (ENCODED | WRITTEN).items() for ending in endings}
PLACE = pa.struct(
    [("bytes", pa.binary()), ("path", pa.string()), ("offset", pa.int64()), ("size", pa.int64())]
)
MAX_WRITTEN = 2**20  #: bytes of a text or a label
BESIDE = (".json", ".idx")  #: what writers of shards put beside them


@runtime_checkable
class Seekable(Protocol):
    """What of a file object an index asks for."""

    def read(self, size: int = ..., /) -> bytes: ...

    def seek(self, place: int, /) -> int: ...

    def tell(self) -> int: ...


def shards_in(path: Path) -> dict[str, list[Path]]:
    """Shards by split: of a tar file, of a folder of nothing else, or of folders ``train/``, ``val/`` ... of them."""
    if path.is_file():
        return {"train": [path]} if _is_shard(path) else {}
    entries = [p for p in sorted(path.iterdir()) if not p.name.startswith(".") and p.suffix not in BESIDE]
    if entries and all(p.is_dir() and p.name.lower() in SPLIT_NAMES for p in entries):
        inside = [(SPLIT_NAMES[p.name.lower()], shards_in(p)) for p in entries]
        if not all(found for _, found in inside):
            return {}
        if len(dict(inside)) < len(inside):
            raise InputError(f"{path}/ has two folders of shards for one split; keep one of them")
        return {name: [s for each in found.values() for s in each] for name, found in inside}
    if not entries or not all(p.is_file() and _is_shard(p) for p in entries):
        return {}
    found: dict[str, list[Path]] = {}
    for shard in entries:
        found.setdefault(split_of(shard.name), []).append(shard)
    return found


def split_of(name: str) -> str:
    """The split that the name of a shard says, else the folder that it lies in, else train."""
    words = [word for part in reversed(name.lower().split("/")) for word in re.split(r"[^a-z]+", part)]
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "train")


def _is_shard(path: Path) -> bool:
    return path.name.endswith((".tar", ".tar.gz", ".tgz"))


def of_files(path: Path, shards: dict[str, list[Path]]) -> Found:
    """A table for each split: where the images or recordings lie, with texts and labels.

    Raises:
        InputError: for a shard that is compressed, broken, or holds nothing that can be read.
    """
    root = path.parent if path.is_file() else path
    indexed: dict[str, list[tuple[str, pa.Table]]] = {}
    for split, paths in shards.items():
        for shard in paths:
            with readable(shard.name, "a tar file"), shard.open("rb") as file:
                name = shard.relative_to(root).as_posix()
                indexed.setdefault(split, []).append((name, index(name, file)))
    return found(path.stem if path.is_file() else path.resolve().name, indexed, root)


def found(
    name: str, splits: dict[str, list[tuple[str, pa.Table]]], root: Path, remote: Shelf | None = None
) -> Found:
    """The splits of shards that were indexed, each by its name below ``root``."""
    order = list(dict.fromkeys(SPLIT_NAMES.values()))
    parts: dict[str, Part] = {s: _table(splits[s], root, remote) for s in sorted(splits, key=order.index)}
    return Found(name, parts)


def _table(indexed: list[tuple[str, pa.Table]], root: Path, remote: Shelf | None) -> Table:
    first = indexed[0][0].rpartition("/")[2]
    name = first if len(indexed) == 1 else f"{first} and {len(indexed) - 1:,} more"
    held = pa.concat_tables([table for _, table in indexed], promote_options="default")
    if not set(held.column_names) - {"label"}:
        raise InputError(
            f"{name} holds no images, recordings or texts; call them by a name and .jpg, .wav or .txt"
        )
    if "label" in held.column_names:
        with contextlib.suppress(pa.ArrowInvalid):  # names, unless all are whole numbers
            place = held.column_names.index("label")
            held = held.set_column(place, "label", held.column(place).cast(pa.int64()))
    return Table(name, held.schema, held.num_rows, held=held, folder=root, remote=remote)


def index(name: str, file: Seekable) -> pa.Table:
    """The samples of a shard: where the encoded ones lie, and what the others say.

    Raises:
        InputError: when it is compressed or broken.
    """
    last = name.rpartition("/")[2]
    if not name.endswith(".tar"):
        raise InputError(f"{last} is compressed, so nothing in it has a place; decompress it to .tar")
    samples: dict[str, dict[str, Any]] = {}
    with readable(last, "a tar file"):
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:  # type: ignore[call-overload]
                for member in tar:
                    tar.members = []  # which would grow with the shard
                    if member.isfile():
                        _note(member, name, file, samples)
                file.seek(tar.offset)
                if file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:  # passed over by tarfile
                    raise ValueError("it has no end: it was cut off, or a header is broken; write it again")
        except tarfile.TarError as error:
            raise ValueError(error) from error
    held = {column for sample in samples.values() for column in sample}
    kinds = {column: PLACE if column in ENCODED else pa.string() for column in COLUMNS if column in held}
    return pa.table({c: pa.array([s.get(c) for s in samples.values()], kind) for c, kind in kinds.items()})


def _note(member: tarfile.TarInfo, shard: str, file: Seekable, samples: dict[str, dict[str, Any]]) -> None:
    """Enters a member under its sample."""
    place = PurePosixPath(member.name)
    base, _, ending = place.name.partition(".")
    column = COLUMN.get(ending.lower())
    if column is None or not base:
        return
    sample = samples.setdefault(str(place.parent / base), {})
    if column in ENCODED:
        sample.setdefault(
            column, {"bytes": None, "path": shard, "offset": member.offset_data, "size": member.size}
        )
        return
    if member.size > MAX_WRITTEN:
        raise ValueError(
            f"{member.name} has {member.size:,} bytes, too many for a {column}; leave it out or cut it"
        )
    file.seek(member.offset_data)
    sample[column] = file.read(member.size).decode("utf-8").strip()


def read_place(path: str, offset: int, size: int) -> bytes:
    """Bytes of a file from a place on.

    Raises:
        OSError: when they are not all there.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) != size:
        raise OSError("is cut off")
    return data
