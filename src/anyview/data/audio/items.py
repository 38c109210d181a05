"""Where recordings lie in what was found: one list of items for every split, with their labels."""

import os
from typing import Any

import numpy as np
import pyarrow as pa
from torch import Tensor

from anyview.data import labels
from anyview.data.audio.waves import EXTENSIONS
from anyview.data.images.items import Collected, Encoded, Split, Where
from anyview.data.parts import Arrays, Files, Found, Objects, Table
from anyview.data.source import Skipped, UnreadableError
from anyview.errors import InputError

#: how encoded audio begins: WAV (also big-endian, 64 bits), FLAC, Ogg, AIFF, Sun, Core Audio, MP3 with a tag
_BEGINS = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"FORM", b".snd", b"caff", b"ID3")


def is_audio_file(path: str | os.PathLike[str]) -> bool:
    """By its extension."""
    return os.path.splitext(path)[1].lower() in EXTENSIONS


def is_audio(data: bytes) -> bool:
    """By its first bytes; a bare MP3 starts with eleven set bits and a layer that is not reserved."""
    if data[:4] == b"RIFF":
        return data[8:12] == b"WAVE"  # an AVI and a WebP are RIFF too
    frame = len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0 and data[1] & 0x06 != 0
    return data.startswith(_BEGINS) or frame


def from_files(found: Found) -> Collected:
    recordings: dict[str, Files] = {}
    skipped: list[Skipped] = []
    for name, part in found.splits.items():
        assert isinstance(part, Files)
        kept = [path for path in part.paths if is_audio_file(path)]
        others = sorted(set(part.paths) - set(kept))
        skipped += [Skipped(str(part.root / path), "is no audio file") for path in others]
        if kept:
            recordings[name] = Files(part.root, kept)
    by_split, names = labels.of_folders(Found(found.name, dict(recordings)))
    splits = {}
    for name, files in recordings.items():
        paths = [str(files.root / path) for path in files.paths]
        splits[name] = Split(paths, paths.__getitem__, by_split[name])
    return Collected(splits, names, skipped)


def audio_column(table: Table) -> str | None:
    """The column that holds audio: one that says so, else one whose first values begin as audio files do."""
    columns = [f.name for f in table.schema if _may_be_encoded(f.type)]
    for name in sorted(columns, key=lambda name: name != "audio"):
        kind = table.feature(name).get("_type")
        if kind == "Audio" or (kind is None and _begins(table, name)):
            return name
    return None


def _may_be_encoded(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _begins(table: Table, name: str) -> bool:
    items = Encoded.of(table, name, head=True)
    for i in range(len(items)):
        try:
            item = items[i]
        except UnreadableError:
            continue
        if is_audio(item) if isinstance(item, bytes) else is_audio_file(item):
            return True
    return False


def from_tables(found: Found, label: str | None) -> Collected:
    by_split, names = labels.of_table(found, label)
    splits = {}
    for name, table in found.splits.items():
        assert isinstance(table, Table)
        column = audio_column(table)
        if column is None:
            raise InputError(
                f"{table.name} has no column of audio (columns: {', '.join(table.schema.names)})"
            )
        items = Encoded.of(table, column)
        splits[name] = Split(items, Where(table.name), by_split[name])
    return Collected(splits, names)


def from_arrays(found: Found) -> Collected:
    """Rows of ``(recordings, samples)``."""
    parts = {name: part for name, part in found.splits.items() if isinstance(part, Arrays)}
    for part in parts.values():
        if part.x.ndim != 2:
            raise InputError(
                f"an array of shape {tuple(part.x.shape)} holds no waveforms; give (recordings, samples)"
            )
    named = next((part.label_names for part in parts.values() if part.label_names), None)
    by_split, names = labels.encode({name: part.y for name, part in parts.items()}, named)
    splits = {
        name: Split(part.x, Where(f"{found.name} {name}"), by_split[name]) for name, part in parts.items()
    }
    return Collected(splits, names)


def from_objects(found: Found) -> Collected:
    """Samples of a list or of another library's dataset: a waveform, or one with its label.

    Taken are 1-d arrays, ``{"array", "sampling_rate"}``, encoded bytes and paths, each alone, in a pair with
    its label, or in a dict under ``audio`` beside ``label``.
    """
    splits, raw = {}, {}
    for name, part in found.splits.items():
        assert isinstance(part, Objects)
        pairs = [_sample(part.items, i) for i in range(len(part))]
        splits[name] = Split([item for item, _ in pairs], Where(f"{found.name} {name}"))
        raw[name] = [label for _, label in pairs] if any(label is not None for _, label in pairs) else None
    by_split, names = labels.encode(raw)
    for name, split in splits.items():
        split.label = by_split[name]
    return Collected(splits, names)


def _sample(items: Any, i: int) -> tuple[Any, Any]:
    """(recording, label) of one sample; what another library cannot give is no recording."""
    try:
        sample = items[i]
    except Exception as error:
        return error, None
    if isinstance(sample, dict) and "array" not in sample:
        return sample.get("audio"), sample.get("label")
    if isinstance(sample, tuple) and sample:
        return sample[0], sample[1] if len(sample) > 1 else None
    return sample, None


def gives_audio(objects: Objects) -> bool:
    """Whether the first sample says that it is audio: a waveform with its rate, or the path of a file."""
    item, _ = _sample(objects.items, 0) if len(objects) else (None, None)
    if isinstance(item, dict):
        return isinstance(item.get("array"), np.ndarray | Tensor | list) and "sampling_rate" in item
    if isinstance(item, str | os.PathLike):
        return is_audio_file(item)
    return isinstance(item, bytes) and is_audio(item)
