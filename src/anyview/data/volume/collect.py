"""Where volumes lie in what was found: items for every split, with their labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from anyview.data import labels
from anyview.data.decode import Undecoded
from anyview.data.parts import Archive, Arrays, Files, Found, Objects
from anyview.data.source import Skipped, UnreadableError
from anyview.data.volume.nifti import is_nifti
from anyview.errors import InputError, unknown

#: what the array of volumes of an archive is called; another one counts beside an ``affine``
NAMES = ("volume", "volumes", "voxels")

Collected = tuple[dict[str, Undecoded], list[str] | None, list[Skipped]]


class Where:
    """``train volume 17``; a class so that a worker process can be given it."""

    def __init__(self, split: str) -> None:
        self.split = split

    def __call__(self, i: int) -> str:
        return f"{self.split} volume {i}"


class Paths(list[str]):
    """Full paths; also says where each lies."""

    def where(self, i: int) -> str:
        return self[i]


class Packed:
    """Occupancy grids as bits, unpacked one at a time."""

    def __init__(self, bits: np.ndarray, shape: Sequence[int]) -> None:
        self.bits, self.shape = bits, tuple(int(n) for n in shape)

    def __len__(self) -> int:
        return len(self.bits)

    def __getitem__(self, i: int) -> np.ndarray:
        return np.unpackbits(self.bits[i])[: int(np.prod(self.shape))].reshape(self.shape).astype(bool)


class Items:
    """Volumes of a dataset of another library, by number: each an array, or (array, label)."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> Any:
        try:
            return first_of(self.items[i])
        except Exception as error:  # another library's code
            raise UnreadableError(f"{type(error).__name__}: {error}") from error


def first_of(sample: Any) -> Any:
    """The volume of what a dataset gives for one sample, without its label."""
    return sample[0] if isinstance(sample, tuple) and sample else sample


def named_array(archive: Archive) -> str | None:
    """The array of volumes in an archive."""
    name = next((name for name in NAMES if name in archive.arrays), None)
    if name is None and "affine" in archive.arrays:
        name = next((n for n, array in archive.arrays.items() if array.ndim in (3, 4)), None)
    return name


def collect(found: Found, label: str | None) -> Collected:
    """Items, names of classes, and the files that are no volumes."""
    part = found.first
    if isinstance(part, Files):
        if label is not None:
            raise InputError(f'{found.name} has no columns, so no "{label}"; leave the label out')
        return _files(found)
    splits: dict[str, Undecoded] = {}
    raw: dict[str, Any] = {}
    names: list[str] | None = None
    for name, part in found.splits.items():
        if isinstance(part, Archive):
            items, raw[name], names = _archive(part, label)
        elif isinstance(part, Arrays):
            items, raw[name], names = part.x, part.y, part.label_names
            if len(items.shape) == 3:
                items, raw[name] = items[None], None
        elif isinstance(part, Objects):
            items = Items(part.items)
            given = getattr(part.items, "targets", getattr(part.items, "labels", None))
            raw[name] = given if given is not None and len(given) == len(part) else _labels(part.items)
        else:
            raise InputError(f"{found.name} holds no volumes")
        splits[name] = Undecoded(items, Where(name))
    numbers, names = labels.encode(raw, names)
    for name, split in splits.items():
        split.label = numbers[name]
    return splits, names, []


def _labels(items: Any) -> list[Any] | None:
    """Labels that come with the samples of a list; other datasets are not read through for them."""
    pairs = isinstance(items, list) and all(isinstance(s, tuple) and len(s) == 2 for s in items)
    return [sample[1] for sample in items] if pairs else None


def _archive(archive: Archive, label: str | None) -> tuple[Any, Any, list[str] | None]:
    """Volumes, labels and names of classes: labels are one value a volume, called label or y, or as asked."""
    key = named_array(archive)
    arrays = archive.arrays
    if key is None:
        raise InputError(
            f"{archive.name} has no array of volumes (arrays: {', '.join(arrays)}); call it volume"
        )
    x: Any = arrays[key]
    if x.ndim == 2 and "shape" in arrays and np.prod(arrays["shape"], dtype=float) <= 8 * x.shape[1]:
        x = Packed(x, _sides(archive))
    elif x.ndim == 3:
        x = x[None]
    given = [n for n, a in arrays.items() if n not in (key, "label_names") and a.shape == (len(x),)]
    if label is not None and label not in given:
        raise unknown("label", label, given, f"in {archive.name}")
    column = label or next((n for n in labels.COLUMNS if n in given), None)
    names = [str(name) for name in arrays.get("label_names", [])] or None
    own = column in labels.COLUMNS  # the names are of those
    return x, None if column is None else arrays[column], names if own else None


def _sides(archive: Archive) -> list[int]:
    """The shape of volumes that are held as bits."""
    shape = archive.arrays["shape"]
    if shape.dtype.kind not in "iu" or shape.shape != (3,) or shape.min() < 1:
        raise InputError(
            f"{archive.name} could not be read as volume: its shape is {shape.tolist()}; "
            "give three whole numbers above 0"
        )
    return [int(n) for n in shape]


def _files(found: Found) -> Collected:
    kept: dict[str, Any] = {}
    skipped: list[Skipped] = []
    for name, part in found.splits.items():
        assert isinstance(part, Files)
        paths = [path for path in part.paths if is_nifti(path)]
        others = [path for path in part.paths if not is_nifti(path)]
        skipped += [Skipped(str(part.root / path), "is no NIfTI file") for path in others]
        if paths:
            kept[name] = Files(part.root, paths)
    numbers, names = labels.of_folders(Found(found.name, kept)) if kept else ({}, None)
    splits = {}
    for name, files in kept.items():
        full = Paths(str(files.root / path) for path in files.paths)
        splits[name] = Undecoded(full, full.where, numbers[name])
    return splits, names, skipped
