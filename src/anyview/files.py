"""Writing so that nothing is ever half written: the whole house writes through here."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from anyview.errors import RunError


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Lets ``write`` fill a temporary file beside ``path``, syncs it, and renames it into place.

    Raises:
        RunError: when it cannot be written (full disk, no permission); an older file stays as it was.
    """
    temporary = beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        put(temporary, path)
    except OSError as error:
        raise RunError(
            f"{path} could not be written ({error.strerror or error}); is the disk full?"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """The temporary name of what this process writes, in the folder where it will lie."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def put(temporary: Path, path: Path) -> None:
    """Renames a file that is fully written into place, so that not even a power cut shows a part of it."""
    sync(temporary)
    os.replace(temporary, path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        sync(path.parent)


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Removes temporary files that a killed process has left; nobody else may be writing there."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """``text`` as UTF-8; file names that are none are kept by surrogates."""
    write_atomic(path, lambda part: part.write_text(text, encoding="utf-8", errors="surrogateescape"))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_yaml(path: Path, value: Any) -> None:
    write_text(path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
