"""Folders of figures that are made over a long time: what one holds must have been made alike."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anyview.errors import InputError, RunError
from anyview.files import read_json, write_json


def claim(folder: Path, settings: Mapping[str, Any], name: str, what: str) -> None:
    """Makes the folder, or checks that what it holds was made by the same settings.

    Args:
        settings: in JSON's types; kept in the file ``name``.
        what: a folder with such a file is called, to end "exists and is no ...".

    Raises:
        InputError: when it holds something else, or cannot be written.
    """
    if (before := read_json(folder / name)) is not None:
        now = json.loads(json.dumps(settings))
        for key in now:
            if before.get(key) != now[key]:
                raise InputError(
                    f"{folder} holds a {what} with {key} {before.get(key)}, not {now[key]}; name another --out"
                )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is no {what}; name another --out")
    try:
        write_json(folder / name, settings)
    except RunError as error:
        raise InputError(f"cannot write to {folder}; name another folder with --out") from error


def first_free(stem: Path, begin: Callable[[Path], None]) -> Path:
    """The first of ``stem``, ``stem-2``, ... that ``begin`` takes, because it is free or holds the same."""
    n = 1
    while True:
        folder = stem if n == 1 else stem.with_name(f"{stem.name}-{n}")
        try:
            begin(folder)
            return folder
        except InputError:
            if not folder.exists():
                raise
        n += 1
