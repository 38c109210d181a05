"""Looks at a path or an object and says what parts it holds, by split."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anyview.data import shards, tables
from anyview.data.parts import SPLIT_NAMES, Archive, Arrays, Files, Found, Objects, Part, readable
from anyview.errors import InputError, nearest

_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}
_X = {"x", "image", "images", "data", "sample", "samples"}
#: arrays that say of an archive that it is no plain list of samples
_MORE = {"edge_index", "graph_ptr", "voxels", "volume"}
_Y = {"y", "label", "labels", "target", "targets"}


def look(data: Any, name: str | None = None) -> Found:
    """What ``data`` holds: a path, an array, (x, y), a dict of splits, a Hugging Face or torch dataset.

    Raises:
        InputError: for a missing path, or an object that is none of these.
    """
    if isinstance(data, str | os.PathLike):
        return _look_at_path(Path(data).expanduser())
    if isinstance(data, Mapping):
        return _join(data, name)
    tried = (kind(data) for kind in (_arrays, tables.of_object, _objects))
    part = next((part for part in tried if part is not None), None)
    if part is None:
        raise InputError(
            f"cannot open {_kind(data)}; give a path, an array, (x, y), a dict of splits, "
            "or a dataset with __len__ and __getitem__"
        )
    return tables.by_column(Found(name or _kind(data), {"train": part}))


# ---- paths


def _look_at_path(path: Path) -> Found:
    if not path.exists():
        raise missing(path)
    if tars := shards.shards_in(path):
        return shards.of_files(path, tars)
    if path.is_dir():
        return _tables_or_archives(path) or _folder(path)
    if path.suffix in tables.ENDINGS:
        return tables.of_files(path, [path])
    if path.suffix in (".npy", ".npz"):
        return _numpy_file(path)
    return Found(path.name, {"train": Files(path.parent, [path.name])})


def _tables_or_archives(path: Path) -> Found | None:
    """A folder of Parquet files, whatever lies beside them; or of nothing but CSV, JSON or NumPy archives."""
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    parquet = [p for p in files if p.suffix == ".parquet"]
    if parquet:
        return tables.of_files(path, parquet)
    endings = {p.suffix for p in files}
    if (
        not files
        or len(endings) > 1
        or any(p.is_dir() and not p.name.startswith(".") for p in path.iterdir())
    ):
        return None
    if endings <= {".csv", ".tsv", ".jsonl"}:
        return tables.of_files(path, files)
    if endings == {".npz"}:
        named = {SPLIT_NAMES.get(p.stem.lower(), p.stem): _numpy_file(p) for p in files}
        splits = {name: found.first for name, found in named.items()}
        return Found(path.resolve().name, splits)
    return None


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
    return InputError(f'there is no "{path}"{hint or "; give a folder or a file"}{known}')


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


# ---- arrays


def _numpy_file(path: Path) -> Found:
    try:
        with readable(path.name, "a NumPy file"), path.open("rb") as file:
            if not file.peek(6).startswith((b"\x93NUMPY", b"PK")):
                raise ValueError("it does not begin as one")
            loaded = np.load(file, allow_pickle=False)
            several = not isinstance(loaded, np.ndarray)  # whatever its ending says
            arrays = dict(loaded) if several else {"x": loaded}
            other = next((key for key, array in arrays.items() if not isinstance(array, np.ndarray)), None)
            if other is not None:  # NumPy gives the bytes of what does not begin as an array
                raise ValueError(f"{other} is no array")
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
    if several and (_MORE & set(arrays) or not any("x" in part for part in splits.values())):
        return Found(path.stem, {"train": Archive(path.name, arrays)})
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


# ---- other objects


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


def _objects(data: Any) -> Objects | None:
    by_number = hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, bytes)
    return Objects(data) if by_number else None


def _kind(data: Any) -> str:
    return type(data).__name__
