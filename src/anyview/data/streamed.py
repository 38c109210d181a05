"""Files at an address, and WebDataset shards that are streamed from there.

A sample is read from a copy of its whole shard on disk, where there is one, else over the network by its place. Copies
are fetched ahead of what is read next and given up behind it. So what is read, and in which order, never depends on
what the disk holds, and a run goes on at exactly the batch it left.
"""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from anyview.data.waiting import Waiting
from anyview.errors import InputError, RunError
from anyview.files import beside, not_written, put

WAITS = (1.0, 2.0, 4.0, 8.0)  #: seconds before an address that did not answer is asked again
WINDOW = 8  #: shards whose samples an epoch mixes
AT_ONCE = 16  #: samples that are read at a time over a network
FETCHERS = 4  #: shards that are fetched at a time
#: share of a shard's samples that must be wanted for the whole of it to be fetched
WORTH = 0.25
MAX_HELD = 64 * 2**30  #: bytes of copies, unless $ANYVIEW_STREAM_GIB says another
FREE = 0.2  #: share of what the disk has free that copies leave
STALE = 3600.0  #: seconds after which a part of a copy belongs to a process that was killed
#: errors of a disk, not of a network
_DISK = (PermissionError, IsADirectoryError, NotADirectoryError)
T = TypeVar("T")


@dataclass(frozen=True)
class File:
    """A file at an address: ``name`` is its path below what was asked for, ``version`` changes with its bytes."""

    address: str
    name: str
    size: int
    version: str = ""

    def check(self, path: Path) -> None:
        """Raises OSError when what came is not the whole file."""
        if (came := path.stat().st_size) != self.size:
            raise OSError(f"{came:,} of {self.size:,} bytes came")


def gib(variable: str, otherwise: int) -> int:
    """Bytes that an environment variable gives in GiB.

    Raises:
        InputError: when it is no number.
    """
    given = os.environ.get(variable) or f"{otherwise / 2**30}"
    try:
        return int(float(given) * 2**30)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{variable} is {given}; give a number of GiB, such as 64") from error


def filesystem(address: str) -> tuple[Any, str]:
    """The file system (of fsspec) of an address, and its path there.

    Raises:
        InputError: for one that is not known, or that needs another package.
    """
    import fsspec

    kind = address.partition("://")[0].lower()
    options: dict[str, Any] = {}
    if kind in ("http", "https"):
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)  # not of a whole shard
        options["client_kwargs"] = {"timeout": timeout, "trust_env": True}
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(address, **options)
    except ImportError as error:
        raise InputError(f"{address} needs one more package: {error}") from error
    except ValueError as error:
        raise InputError(
            f'no way is known to read from "{kind}://"; known are https, s3, gs, hf and others of fsspec'
        ) from error
    return found


def patiently(address: str, do: Callable[[], T]) -> T:
    """What ``do`` gives; asked again after each of ``WAITS`` when the network fails.

    Raises:
        InputError: when there is nothing at the address, or it may not be read.
        RunError: when it cannot be reached.
    """
    for wait in (*WAITS, None):
        try:
            return do()
        except (InputError, RunError):
            raise
        except Exception as error:  # each file system has errors of its own
            # fsspec takes a server that does not answer for one that has no such file
            cause = (error.__cause__ if isinstance(error, FileNotFoundError) else None) or error
            status = getattr(cause, "status", None)
            if isinstance(cause, FileNotFoundError) or status in (404, 410):
                raise InputError(f"there is nothing at {address}") from error
            if isinstance(cause, PermissionError) or status in (401, 403):
                raise InputError(f"{address} may not be read; log in, or look at the address") from error
            if wait is None or (isinstance(status, int) and 400 <= status < 500 and status not in (408, 429)):
                reason = " ".join(str(cause).split())[:200] or type(cause).__name__
                raise RunError(f"{address} cannot be reached ({reason}); try again later") from error
            time.sleep(wait)
    raise AssertionError("unreachable")


def read_range(file: File, start: int, size: int) -> bytes:
    """Bytes of a file at an address, from a place on.

    Raises:
        InputError: when its server gives whole files only.
        RunError: when it cannot be reached.
    """

    def ask() -> bytes:
        system, path = filesystem(file.address)
        data: bytes = system.cat_file(path, start=start, end=start + size)
        if len(data) > size:
            raise InputError(f"the server of {file.address} gives no parts of files; fetch it yourself")
        if len(data) < size:
            raise OSError(f"only {len(data):,} of {size:,} bytes came")
        return data

    return patiently(file.address, ask)


def fetch(address: str, path: Path, check: Callable[[Path], None], waiting: Waiting | None = None) -> None:
    """Copies a file from its address to ``path``, where it appears only whole.

    Args:
        check: of what came; after an OSError it is asked for again.
        waiting: is told how many bytes have come.

    Raises:
        InputError: when there is nothing at the address, or it may not be read.
        RunError: when it cannot be reached, or not be written.
    """
    part = beside(path)

    def get() -> None:
        system, remote = filesystem(address)
        try:
            system.get_file(remote, str(part), **_telling(address, waiting))
        except OSError as error:
            if isinstance(error, _DISK) or shutil.disk_usage(part.parent).free < 2**20:
                raise not_written(path, error) from error
            raise
        check(part)
        if waiting is not None:
            waiting.at(address, part.stat().st_size)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        patiently(address, get)
        put(part, path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def _telling(address: str, waiting: Waiting | None) -> dict[str, Any]:
    """What fsspec is given so that ``waiting`` is told of every part that comes."""
    from fsspec.callbacks import Callback

    # huggingface_hub leaves its quick way to fetch, and reads a block at a time, to tell of them
    if waiting is None or address.lower().startswith("hf://"):
        return {}
    return {"callback": Callback(hooks={"came": lambda size, came, **_: waiting.at(address, came)})}


class Reading:
    """A file at an address as a file object: what lies close together is read in one go."""

    NEAR, AHEAD, FAR = 2**16, 2**20, 2**14  #: bytes: what is close, and what is read there and elsewhere

    def __init__(self, file: File) -> None:
        self.file, self.at = file, 0
        self._start, self._held = 0, b""

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        self.at = place + (0, self.at, self.file.size)[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def read(self, size: int = -1) -> bytes:
        end = self.file.size if size < 0 else min(self.at + size, self.file.size)
        held = self._start + len(self._held)
        if self.at < self._start or end > held:
            near = self._start <= self.at <= held + self.NEAR
            wanted = max(end - self.at, self.AHEAD if near else self.FAR)
            self._start = self.at
            self._held = read_range(self.file, self.at, min(wanted, self.file.size - self.at))
        data = self._held[self.at - self._start : max(end, self.at) - self._start]
        self.at += len(data)
        return data


class Shelf:
    """Shards at an address, numbered from 0, and copies of some in ``folder`` (CACHE/streamed/KEY/copies).

    Attributes:
        counts: samples of each shard.
    """

    def __init__(self, files: Sequence[File], folder: Path) -> None:
        self.files, self.folder = list(files), folder
        self.number = {file.name: i for i, file in enumerate(self.files)}
        self.counts = torch.zeros(len(self.files), dtype=torch.int64)
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._needed: list[int] = []
        self._coming: set[int] = set()
        self._failed: set[int] = set()
        self._threads = 0

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if not k.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    def copy(self, shard: int) -> Path:
        """Where the copy of a shard lies when there is one."""
        return self.folder / self.files[shard].name

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Bytes of a shard, from its copy or over the network."""
        shard = self.number[name]
        with contextlib.suppress(OSError), open(self.copy(shard), "rb") as file:
            file.seek(offset)
            if len(data := file.read(size)) == size:
                return data
        return read_range(self.files[shard], offset, size)

    def want(self, shards: Iterable[int]) -> None:
        """Says which shards are needed, the most urgent first: as many as there is room for are fetched, by the
        first process of a machine, while it goes on."""
        if os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")) != "0":
            return
        room, needed = self._room(), []
        for shard in shards:
            room -= self.files[shard].size
            if room < 0:
                break
            needed.append(shard)
        with self._lock:
            self._needed = needed
            self._failed.clear()
            missing = [s for s in needed if s not in self._coming and not self.copy(s).exists()]
            for _ in range(min(len(missing), FETCHERS - self._threads)):
                self._threads += 1
                threading.Thread(target=self._bring, daemon=True).start()

    def _bring(self) -> None:
        while (shard := self._next()) is not None:
            try:
                self._make_room()
                file = self.files[shard]
                fetch(file.address, self.copy(shard), file.check)
            except (InputError, RunError, OSError):  # samples that are read by their places say what is wrong
                self._failed.add(shard)
            finally:
                with self._lock:
                    self._coming.discard(shard)

    def _next(self) -> int | None:
        with self._lock:
            for shard in self._needed:
                if shard not in self._coming | self._failed and not self.copy(shard).exists():
                    self._coming.add(shard)
                    return shard
            self._threads -= 1
            return None

    def _copies(self) -> list[tuple[float, int, Path]]:
        """Copies of all shards that are streamed on this machine: when each came, its size, and where it is."""
        found = []
        for path in self.folder.parent.parent.rglob("*.tar"):
            with contextlib.suppress(OSError):
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        return sorted(found)

    def _room(self) -> int:
        """Bytes that copies may take."""
        self.folder.mkdir(parents=True, exist_ok=True)
        most = gib("ANYVIEW_STREAM_GIB", MAX_HELD)
        held = sum(size for _, size, _ in self._copies())
        return min(most, int((shutil.disk_usage(self.folder).free + held) * (1 - FREE)))

    def _make_room(self) -> None:
        """Gives up copies that are not needed, the oldest first, until those that are coming fit."""
        with self._lock:
            needed = {self.copy(shard) for shard in self._needed}
            coming = sum(self.files[shard].size for shard in self._coming)
            copies, room = self._copies(), self._room()
            held = sum(size for _, size, _ in copies)
            for _, freed, path in copies:
                if held + coming <= room:
                    break
                if path not in needed:
                    path.unlink(missing_ok=True)
                    held -= freed
        for part in self.folder.rglob("*.part"):
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > STALE:
                    part.unlink()


def windowed(
    order: Int[Tensor, "samples"], shard: Int[Tensor, "samples"], generator: torch.Generator
) -> Int[Tensor, "samples"]:
    """A random order that ends with the samples of ``WINDOW`` shards, drawn at random, before it goes on to others.

    Args:
        order: a random order of all samples.
        shard: of each sample.
    """
    present, dense = shard.unique(return_inverse=True)
    window = torch.randperm(len(present), generator=generator) // WINDOW
    return order[window[dense[order]].argsort(stable=True)]


class Ahead:
    """Has shards fetched before they are read: those of the coming ``WINDOW`` and what is being read.

    Args:
        shard: of each sample, in the order in which they will be read.
    """

    def __init__(self, remote: Shelf, shard: Int[Tensor, "samples"]) -> None:
        self.remote = remote
        first = torch.full((len(remote.files),), len(shard)).scatter_reduce_(
            0, shard, torch.arange(len(shard)), "amin"
        )
        wanted = torch.bincount(shard, minlength=len(remote.files))
        worth = (wanted > 0) & (wanted >= WORTH * remote.counts)
        self.sequence = [s for s in first.argsort(stable=True).tolist() if worth[s]]
        self.place = {s: i for i, s in enumerate(self.sequence)}
        self._last = -1

    def __call__(self, shard: Int[Tensor, "batch"]) -> None:
        """Says which shards the next batch is of."""
        last = max((self.place[s] for s in shard.unique().tolist() if s in self.place), default=-1)
        if last == self._last:
            return
        self._last = last
        now = self.sequence[max(0, last + 1 - WINDOW) : last + 1]
        self.remote.want([*now, *self.sequence[last + 1 : last + 1 + WINDOW]])


# ---- items of readers


@runtime_checkable
class Shelved(Protocol):
    """Items that may lie in shards at an address."""

    @property
    def remote(self) -> Shelf | None: ...

    def shards(self) -> Int[Tensor, "rows"] | None:
        """The shard of each item, -1 for one that is nowhere; None when all lie here."""


def listed(items: object) -> tuple[list[int], list[int]] | None:
    """Places of items in shards at an address, and of those that are nowhere; None for items that lie here."""
    shard = items.shards() if isinstance(items, Shelved) else None
    if shard is None:
        return None
    return (shard >= 0).nonzero()[:, 0].tolist(), (shard < 0).nonzero()[:, 0].tolist()


def bring(items: object) -> None:
    """Has shards at an address fetched, since all of their items are read in order."""
    if isinstance(items, Shelved) and items.remote is not None and (shard := items.shards()) is not None:
        items.remote.want(shard[shard >= 0].unique().tolist())
