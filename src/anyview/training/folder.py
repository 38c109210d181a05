"""The folder of a run: its name, what must be free, and reading what lies in it."""

import os
from pathlib import Path
from typing import Any

from anyview.errors import InputError
from anyview.files import parse_json, parse_yaml
from anyview.training.config import Config
from anyview.training.gather import launched
from anyview.training.lock import LOCK

#: what a run's configuration has, and of what kind
SECTIONS = dict.fromkeys(("method", "data", "encoder", "views", "optimizer", "training"), dict) | {
    "seed": int
}
DATA = ("path", "modality", "label", "size")


def new_run_folder(out: str | Path | None, method: str, data_name: str) -> Path:
    """The folder of a new run, created. Without ``out`` it is ``runs/METHOD-DATA``, numbered when taken.

    Of several processes the first makes it and the others are told its name.

    Raises:
        InputError: when ``out`` holds something already or cannot be written.
    """
    if launched()[0] != 0:
        told = os.environ.get("ANYVIEW_RUN") or out
        if told is None:
            raise InputError("several processes need one run folder; name it with --out")
        return Path(told)
    if out is None:
        stem = Path("runs") / f"{method}-{slug(data_name)}"
        path, n = stem, 1
        while path.exists():
            n += 1
            path = stem.with_name(f"{stem.name}-{n}")
    else:
        path = Path(out)
        if (path / "config.yaml").exists():
            raise InputError(
                f"{path} holds a run already; continue it with: anyview resume {path}, or name another --out"
            )
        if path.exists() and (not path.is_dir() or any(not _of_the_head(p.name) for p in path.iterdir())):
            raise InputError(f"{path} exists and is not an empty folder; name another --out")
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise InputError(
            f"cannot write to {path} ({error.strerror}); name another folder with --out"
        ) from error
    os.environ["ANYVIEW_RUN"] = str(path)  # for the processes that are started from here
    return path


def read_config(run: str | Path) -> Config:
    """``config.yaml`` of a run folder, safely loaded.

    Raises:
        InputError: when there is none, or it is not a run's.
    """
    path = Path(run) / "config.yaml"
    if not path.is_file():
        raise InputError(f"{run} is not a run folder (no config.yaml)")
    try:
        config = parse_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} cannot be read as YAML: {error}") from error
    found = config if isinstance(config, dict) else {}
    wrong = [key for key, kind in SECTIONS.items() if not isinstance(found.get(key), kind)]
    wrong += [f"data.{key}" for key in DATA if not wrong and key not in found["data"]]
    wrong += [] if wrong or isinstance(found["method"].get("name"), str) else ["method.name"]
    if wrong:
        raise InputError(
            f"{path} is not a run's configuration: {', '.join(wrong)} missing or of another kind"
        )
    return found


def read_spec(run: Path) -> dict[str, Any] | None:
    """What the samples of a run looked like when it began, from its ``data.json``; None when it is not there."""
    path = run / "data.json"
    if not path.is_file():
        return None
    try:
        return parse_json(path.read_text(encoding="utf-8"))["spec"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is broken ({error}); delete it to read the data anew") from error


def _of_the_head(name: str) -> bool:
    """Whether a file may be left by a run that was killed before it had its configuration."""
    return name in (LOCK, "data.json", "skipped.csv") or name.endswith(".part")


def slug(name: str) -> str:
    """A name as part of a path."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.") or "data"
