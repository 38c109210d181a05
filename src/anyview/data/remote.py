"""Data at an address: ``https://``, ``s3://``, ``hf://`` and what else fsspec reads.

Up to ``MAX_FETCHED`` bytes are copied into the cache once, and read as what lies on disk is. Larger sets are streamed,
if they are WebDataset shards.
"""

import hashlib
import itertools
import json
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import torch
from filelock import FileLock

from anyview.data import shards
from anyview.data.found import look
from anyview.data.parts import Found, cache_folder
from anyview.data.streamed import File, Reading, Shelf, fetch, filesystem, gib, patiently
from anyview.data.waiting import Waiting
from anyview.errors import InputError
from anyview.files import write_atomic

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+", re.DOTALL)
MAX_FETCHED = 16 * 2**30  #: bytes that are copied whole, unless $ANYVIEW_FETCH_GIB says another
ASKED = 32  #: addresses that are asked at a time
#: what file systems call a mark that changes with a file's bytes
VERSIONS = (
    "ETag",
    "etag",
    "sha256",
    "blob_id",
    "md5Hash",
    "Content-MD5",
    "Last-Modified",
    "LastModified",
    "mtime",
)
T = TypeVar("T")
R = TypeVar("R")


def is_address(data: Any) -> bool:
    """Whether it is a string with a scheme, as ``https://...``."""
    return isinstance(data, str) and ADDRESS.fullmatch(data) is not None


def at(address: str) -> Found:
    """What lies at an address: a file, several (``{000..123}``, ``{a,b}``, ``*``), or a folder (``/`` at its end).

    Raises:
        InputError: when there is nothing, it may not be read, or it is too large to be fetched and no shards.
        RunError: when it cannot be reached.
    """
    found = _files(address)
    size = sum(file.size for file in found)
    name, root = _name(found), cache_folder()
    marks = json.dumps([(file.address, file.size, file.version) for file in found])
    key = hashlib.sha256(marks.encode()).hexdigest()[:24]
    if size > gib("ANYVIEW_FETCH_GIB", MAX_FETCHED):
        return _streamed(found, name, root / "streamed" / key)
    folder = root / "fetched" / key / name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / "lock"):  # one of several processes fetches
        missing = [file for file in found if not (folder / file.name).exists()]
        size = sum(file.size for file in missing)
        what = f"fetching {len(missing):,} file{'s' if len(missing) != 1 else ''}"
        with Waiting(what, size, 10**6, "MB") as waiting:
            _each(missing, lambda file: fetch(file.address, folder / file.name, file.check, waiting), 8)
    return look(folder if len(found) > 1 or "/" in found[0].name else folder / found[0].name)


def _streamed(found: Sequence[File], name: str, folder: Path) -> Found:
    """Shards that stay where they are; their index is kept in ``folder``."""
    other = next((file for file in found if not file.name.endswith(".tar")), None)
    if other is not None:
        raise InputError(
            f"{name} has {sum(f.size for f in found) / 1e9:,.0f} GB, too many to fetch, and {other.name} is no "
            "shard (.tar) that could be streamed; fetch it yourself, or write it as WebDataset shards"
        )
    remote = Shelf(found, folder / "copies")
    with Waiting("indexing shards", len(found)) as waiting:

        def indexed(file: File) -> pa.Table:
            table = _index(file, folder / "index")
            waiting.at(file.name, 1)
            return table

        index = _each(found, indexed, ASKED)
    remote.counts = torch.tensor([len(table) for table in index])
    splits: dict[str, list[tuple[str, pa.Table]]] = {}
    for file, table in zip(found, index):
        splits.setdefault(shards.split_of(file.name), []).append((file.name, table))
    return shards.found(name, splits, remote.folder, remote)


def _index(file: File, folder: Path) -> pa.Table:
    kept = folder / f"{file.name.replace('/', '--')}.arrow"
    if not kept.exists():
        table = shards.index(file.name, Reading(file))

        def write(path: Path) -> None:
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)

        write_atomic(kept, write)
    return pa.ipc.open_file(pa.memory_map(str(kept))).read_all()


# ---- addresses


def _files(address: str) -> list[File]:
    """All files at an address, by their names below what they share."""
    listed = list(dict.fromkeys(itertools.chain.from_iterable(map(_expand, _braces(address)))))
    if not listed:
        raise InputError(f"there is nothing at {address}")
    known = _each(listed, _info, ASKED)
    paths = [unquote(urlsplit(one).netloc + urlsplit(one).path) for one in listed]
    if outside := next((path for path in paths if ".." in path.split("/")), None):
        raise InputError(f"{outside} leads out of {address}, so it is not read")
    base = posixpath.commonpath([posixpath.dirname(path) for path in paths])
    names = [posixpath.relpath(path, base or ".") for path in paths]
    return [File(one, name, *info) for one, name, info in zip(listed, names, known)]


def _braces(address: str) -> Iterator[str]:
    """``{000..123}`` and ``{a,b}`` written out, as a shell does."""
    found = re.search(r"\{([^{}]*)\}", address)
    if found is None:
        yield address
        return
    inside = found.group(1)
    span = re.fullmatch(r"(\d+)\.\.(\d+)", inside)
    if span:
        first, last = span.groups()
        width = max(map(len, (first, last))) if first[0] == "0" or last[0] == "0" else 0
        values = [f"{n:0{width}d}" for n in range(int(first), int(last) + 1)]
    elif "," in inside:
        values = inside.split(",")
    else:
        raise InputError(f"{{{inside}}} in {address} is no list; write {{000..123}} or {{a,b}}")
    for value in values:
        yield from _braces(address[: found.start()] + value + address[found.end() :])


def _expand(address: str) -> list[str]:
    """The address itself, or what a ``*`` or a folder stands for."""
    if "*" not in address and not address.endswith("/"):
        return [address]
    system, path = filesystem(address)
    ask = system.glob if "*" in address else system.find
    paths = patiently(address, lambda: ask(path))
    hidden = re.compile(r"(^|/)\.[^/]*$")
    return [system.unstrip_protocol(p) for p in sorted(paths) if not hidden.search(p)]


def _info(address: str) -> tuple[int, str]:
    system, path = filesystem(address)
    info = patiently(address, lambda: system.info(path))
    if info.get("type") == "directory":
        raise InputError(f"{address} is a folder; write a / at its end")
    if info.get("size") is None:
        raise InputError(f"the server of {address} does not say how large it is; fetch it yourself")
    return int(info["size"]), next((str(info[key]) for key in VERSIONS if info.get(key)), "")


def _name(found: Sequence[File]) -> str:
    """How the data are called: as their folder, or as the only file."""
    path = urlsplit(found[0].address).path
    if len(found) == 1:
        return Path(unquote(path)).stem or "data"
    folder = unquote(path).removesuffix(found[0].name).rstrip("/")
    return posixpath.basename(folder) or urlsplit(found[0].address).hostname or "data"


def _each(items: Sequence[T], do: Callable[[T], R], threads: int) -> list[R]:
    """``do`` of each in threads, in order."""
    if not items:
        return []
    pool = ThreadPoolExecutor(threads)
    try:
        return list(pool.map(do, items))
    finally:
        pool.shutdown(cancel_futures=True)  # after an error nothing more is asked for
