"""Series: numbers that follow each other in time, in one channel or several."""

from typing import Any

import numpy as np
import torch

from anyview.data.parts import Arrays, Found, Objects, Table
from anyview.data.readers.base import Reader, none_readable
from anyview.data.series import clean, collect, layout
from anyview.data.source import Dataset, MemorySource, Source, Spec
from anyview.errors import InputError

#: channels of an array that no image could hold, when there are four times as many steps
MOST_CHANNELS = 16


class SeriesReader(Reader):
    modality = "series"
    wants = "series: an array (samples, channels, time), or a table with a column of lists of numbers"

    def claim(self, found: Found) -> float:
        part = found.first
        if isinstance(part, Table):
            return layout.claim(part)
        if isinstance(part, Arrays):
            return looks_like_series(part.x)
        if isinstance(part, Objects) and len(part):
            return 0.95 if gives_series(part.items) else 0.0
        return 0.0

    def read(
        self, found: Found, *, label: str | None = None, size: int | None = None, like: Spec | None = None
    ) -> Dataset:
        """Series as float32, ``(samples, channels, time)`` where all have one length, else Ragged.

        Args:
            size: steps of a window where one long series is cut into windows; elsewhere every series is
                resampled to so many steps. None keeps lengths as they are.
        """
        if size is not None and size < 2:
            raise InputError(f"size is {size}; give the number of time steps, such as 128")
        if label is not None and not isinstance(found.first, Table):
            raise InputError(f'{found.name} has no columns, so no "{label}"; leave the label out')
        collected = _collect(found, label, like)
        if like is not None:
            size = size or like["size"]
        # What was learned from need not have been cut into windows for this to be.
        window = clean.cut_windows(collected, size or (None if like is None else like["length"]))
        channels = clean.usable(collected, None if like is None else like["channels"])
        missing = clean.fill_gaps(collected)
        if size is not None and window is None:
            clean.resize(collected, size)
            collected.notes.append(f"resampled to {size:,} steps")
        spec = _spec(collected, channels, size or window, like)
        if missing:
            collected.notes.append(f"{_percent(missing)} missing, interpolated in time")
        fixed = spec["shortest"] == spec["longest"]
        sources: dict[str, Source] = {
            name: MemorySource(
                "series",
                spec,
                clean.pack(split, spec["mean"], fixed),
                split.label,
                collected.label_names,
                collected.skipped,
            )
            for name, split in collected.splits.items()
        }
        return Dataset(found.name, "series", sources, collected.skipped, collected.notes)


def looks_like_series(x: Any) -> float:
    """How sure one can be, from shape, type and range, that an array holds series: 0 to 1.

    Fractions of two axes are series. Of three axes, series are taken for few channels of many steps, and the
    rest for images: it is better that images which were normalised are refused than read as something else.
    """
    shape, kind = tuple(x.shape), str(x.dtype).removeprefix("torch.")
    if 0 in shape or len(shape) not in (1, 2, 3) or not kind.startswith(("float", "bfloat", "int")):
        return 0.0
    if kind.startswith("int"):
        return 0.3  # numbers of words, or of anything
    if len(shape) < 3:
        return 0.7
    head = np.asarray(x[:64].float() if isinstance(x, torch.Tensor) else x[:64])
    image = np.nanmin(head, initial=0) >= 0 and np.nanmax(head, initial=0) <= 255
    few = 4 * shape[1] <= shape[2] and shape[1] <= MOST_CHANNELS if image else 2 * shape[1] <= shape[2]
    return 0.7 if few else 0.2


def gives_series(items: Any) -> bool:
    """Whether the first sample is an array of one axis, or of two with few channels of many steps."""
    try:
        first = items[0]
    except Exception:  # another library's code
        return False
    x = first[0] if isinstance(first, tuple) and len(first) == 2 else first
    if not isinstance(x, np.ndarray | torch.Tensor) or "float" not in str(x.dtype):
        return False
    return x.ndim == 1 or (x.ndim == 2 and looks_like_series(x[None]) > 0.5)


def _collect(found: Found, label: str | None, like: Spec | None) -> collect.Collected:
    if isinstance(found.first, Table):
        return collect.from_tables(found, label, like)
    if isinstance(found.first, Arrays):
        return collect.from_arrays(found)
    if isinstance(found.first, Objects):
        return collect.from_objects(found)
    raise none_readable(found, "series", SeriesReader.wants)


def _spec(collected: collect.Collected, channels: int, size: int | None, like: Spec | None) -> Spec:
    """Channels, lengths, and mean and deviation of each channel in train (or as ``like`` has them)."""
    lengths = np.array([x.shape[1] for split in collected.splits.values() for x in split.series])
    spec: Spec = {
        "channels": channels,
        "length": int(np.median(lengths)),
        "shortest": int(lengths.min()),
        "longest": int(lengths.max()),
        "size": size,
        "columns": collected.columns,
    }
    if like is not None:
        return spec | {k: like[k] for k in ("length", "size", "columns", "mean", "std")}
    train = collected.splits.get("train", next(iter(collected.splits.values())))
    mean, std = clean.scale(train)
    return spec | {"mean": mean, "std": std}


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share >= 0.0001 else "under 0.01 %"
