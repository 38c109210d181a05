"""One process at a time in a run folder."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anyview.errors import InputError

LOCK = ".lock"
_held: set[Path] = set()  # the system's locks are between processes; these are between threads of this one


@contextmanager
def only_one(run: Path) -> Iterator[None]:
    """Keeps other processes from training in ``run`` until the block ends.

    The lock is the system's (POSIX record lock), which lets go of it when the process dies in whatever way: there
    are no stale ones. Children do not inherit it, so a loader's worker that outlives its parent holds nothing. On
    NFS it holds between machines that run its lock service; where the file system knows no locks, nothing is held.

    Raises:
        InputError: when another process, or another thread of this one, is at it; says which.
    """
    path = (run / LOCK).resolve()
    if path in _held:
        raise InputError(f"{run} is in use by this very process; wait for it, or name another folder")
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _take(handle):
            holder = os.read(handle, 200).decode(errors="replace").strip() or "another process"
            raise InputError(f"{run} is in use by {holder}; wait for it, or name another folder with --out")
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        _held.add(path)
        try:
            yield
        finally:
            _held.discard(path)
    finally:
        os.close(handle)  # which lets go


def _take(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # held: systems say either
        return False
    except OSError:  # a file system without locks
        return True
    return True
