"""Where clips lie in what was found: items for every split, with their labels."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from anyview.data import labels
from anyview.data.decode import Undecoded
from anyview.data.images.items import Encoded, image_column, is_image_file
from anyview.data.parts import Arrays, Files, Found, Objects, Table
from anyview.data.source import Skipped, UnreadableError
from anyview.data.video.frames import ALSO, EXTENSIONS, FRAMES, clips_of, is_video
from anyview.errors import InputError, unknown

Collected = tuple[dict[str, Undecoded], list[str] | None, list[Skipped]]


class Where:
    """``train clip 17``; a class so that a worker process can be given it."""

    def __init__(self, split: str) -> None:
        self.split = split

    def __call__(self, i: int) -> str:
        return f"{self.split} clip {i}"


class Clips:
    """Clips of a folder: videos by their path, folders of frames by the paths of these, in order of name."""

    def __init__(self, items: list[str | list[str]], names: list[str]) -> None:
        self.items, self.names = items, names

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> str | list[str]:
        return self.items[i]

    def where(self, i: int) -> str:
        return self.names[i]


class Runs:
    """Clips of a table: rows of ``frames`` that follow each other in a sequence."""

    def __init__(self, frames: Encoded, rows: list[list[int]]) -> None:
        self.frames, self.rows = frames, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> list[Any]:
        return [self.frames[row] for row in self.rows[i]]


class Items:
    """Clips of a dataset of another library, by number: arrays (frames, ...), or (array, label)."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> Any:
        try:
            sample = self.items[i]
            clip = sample[0] if isinstance(sample, tuple) else sample
            return clips_of(clip[None])[0]
        except Exception as error:  # another library's code
            raise UnreadableError(f"{type(error).__name__}: {error}") from error


def collect(found: Found, label: str | None) -> Collected:
    """Items, names of classes, and the files that belong to no clip."""
    part = found.first
    if isinstance(part, Table):
        return _tables(found, label)
    if label is not None:
        raise InputError(f'{found.name} has no columns, so no "{label}"; leave the label out')
    if isinstance(part, Files):
        return _files(found)
    splits: dict[str, Undecoded] = {}
    raw: dict[str, Any] = {}
    names: list[str] | None = None
    for name, part in found.splits.items():
        items: Any
        if isinstance(part, Arrays):
            items, raw[name], names = _bytes(name, clips_of(part.x)), part.y, part.label_names or names
        elif isinstance(part, Objects):
            items = Items(part.items)
            pairs = isinstance(part.items, list) and all(isinstance(s, tuple) for s in part.items)
            given = [sample[1] for sample in part.items] if pairs else None
            raw[name] = getattr(part.items, "targets", getattr(part.items, "labels", given))
        else:
            raise InputError(f"{found.name} holds no clips; give videos, folders of frames or an array")
        splits[name] = Undecoded(items, Where(name))
    numbers, names = labels.encode(raw, names)
    for name, split in splits.items():
        split.label = numbers[name]
    return splits, names, []


def _bytes(split: str, x: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """Clips as bytes, since a frame alone does not tell the scale: fractions in 0..1 are scaled to 0..255.

    Raises:
        InputError: for NaN and other ranges.
    """
    if str(x.dtype).endswith("uint8"):
        return x
    x = torch.as_tensor(x).float()
    low, high = float(x.min()), float(x.max())
    if not 0 <= low <= high <= 255:  # false for NaN
        raise InputError(
            f"clips of the {split} split run from {low:.4g} to {high:.4g}; give 0..1 or 0..255, without NaN"
        )
    return (x * (255 if high <= 1 else 1)).round().byte()


def _files(found: Found) -> Collected:
    """Every video is a clip, and every folder that holds images itself; the first folder is the class."""
    kept: dict[str, Any] = {}
    clips: dict[str, Clips] = {}
    skipped: list[Skipped] = []
    for name, part in found.splits.items():
        assert isinstance(part, Files)
        groups: dict[str, list[str]] = {}  # relative path of a clip -> paths of its frames, or none
        for path in part.paths:
            full = str(part.root / path)
            if is_video(path, EXTENSIONS + ALSO):
                groups[path] = []
            elif "/" in path and is_image_file(full):
                groups.setdefault(path.rsplit("/", 1)[0], []).append(full)
            else:
                why = "lies in no folder of frames" if is_image_file(full) else "is no video and no frame"
                skipped.append(Skipped(full, why))
        if groups:
            order = sorted(groups)
            items = [_by_number(groups[clip]) or str(part.root / clip) for clip in order]
            clips[name] = Clips(items, [str(part.root / clip) for clip in order])
            kept[name] = Files(part.root, order)
    numbers, names = labels.of_folders(Found(found.name, kept)) if kept else ({}, None)
    splits = {name: Undecoded(items, items.where, numbers[name]) for name, items in clips.items()}
    return splits, names, skipped


def _by_number(paths: list[str]) -> list[str]:
    """Frames in order of the numbers in their names: 2 before 10."""

    def key(path: str) -> list[tuple[int, str]]:
        parts: list[str] = []
        for char in path:
            if parts and parts[-1][-1].isdigit() == char.isdigit():
                parts[-1] += char
            else:
                parts.append(char)
        return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]

    return sorted(paths, key=key)


def _tables(found: Found, label: str | None) -> Collected:
    """Rows are frames: those of one ``sequence``, in order of ``frame``, in runs of ``FRAMES``. What is left at
    the end of a sequence is a clip when it is at least half as long. A clip has the label of its first frame."""
    by_split, names = labels.of_table(found, label)
    splits = {}
    for name, table in found.splits.items():
        assert isinstance(table, Table)
        column = image_column(table)
        if column is None or not {"sequence", "frame"} <= set(table.schema.names):
            raise unknown_columns(table)
        keys = table.columns(["sequence", "frame"]).to_pydict()
        sequences: dict[Any, list[tuple[Any, int]]] = {}
        for row, (sequence, frame) in enumerate(zip(keys["sequence"], keys["frame"])):
            sequences.setdefault(sequence, []).append((frame, row))
        rows: list[list[int]] = []
        for members in sequences.values():
            order = [row for _, row in sorted(members)]
            runs = [order[i : i + FRAMES] for i in range(0, len(order), FRAMES)]
            rows += [run for run in runs if len(run) >= FRAMES // 2 or len(runs) == 1]
        items = Runs(Encoded.of(table, column), rows)
        given = by_split[name]
        first = torch.tensor([run[0] for run in rows], dtype=torch.int64)
        splits[name] = Undecoded(items, Where(name), None if given is None else given[first])
    return splits, names, []


def unknown_columns(table: Table) -> InputError:
    if image_column(table) is None:
        return InputError(f"{table.name} has no column of images (columns: {', '.join(table.schema.names)})")
    missing = next(name for name in ("sequence", "frame") if name not in table.schema.names)
    return unknown(
        "column", missing, table.schema.names, f"in {table.name}: it says which frames make a clip"
    )
