"""Writing so that nothing is ever half written, and reading so that nothing a file says can do harm: the whole
house writes through here, and parses settings of unknown origin here."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from anyview.errors import InputError, RunError

#: more values than any configuration has; aliases of YAML can stand for any number of them
MAX_VALUES = 100_000


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
        raise not_written(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def not_written(path: Path, error: OSError) -> RunError:
    """What is said of a file that could not be written."""
    return RunError(f"{path} could not be written ({error.strerror or error}); is the disk full?")


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


def parse_yaml(text: str) -> Any:
    """YAML in plain types; no tag makes an object.

    Raises:
        ValueError: of one line, for what is no YAML or unreasonably large.
    """
    try:
        return _counted(yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError((str(error).splitlines() or ["empty"])[0]) from error


def parse_json(text: str | bytes) -> Any:
    """JSON, with the errors of ``parse_yaml``."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested without end") from error


def read_json(path: Path, otherwise: Any = None) -> Any:
    """What a JSON file holds; ``otherwise`` when it is not there.

    Raises:
        InputError: when it cannot be read.
    """
    if not path.is_file():
        return otherwise
    try:
        return parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as JSON ({error}); delete it to have it made anew"
        ) from error


def _counted(value: Any) -> Any:
    """``value``, unless it stands for more values than it can sensibly have."""
    waiting, count = [value], 0
    while waiting:
        one = waiting.pop()
        count += 1
        if count + len(waiting) > MAX_VALUES:
            raise ValueError(f"it holds more than {MAX_VALUES:,} values")
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return value


def write_text(path: Path, text: str) -> None:
    """``text`` as UTF-8; file names that are none are kept by surrogates."""
    write_atomic(path, lambda part: part.write_text(text, encoding="utf-8", errors="surrogateescape"))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_yaml(path: Path, value: Any) -> None:
    write_text(path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
