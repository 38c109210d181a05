"""From series as they came to what a network can read: windows, gaps filled, one payload a split."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anyview.data.batch import Ragged
from anyview.data.series.collect import Collected, Split
from anyview.data.source import Skipped
from anyview.errors import InputError

#: share of a window's length by which windows of one split are apart, where splits were given
OVERLAP = 4


def default_window(steps: int) -> int:
    """Steps of a window of one long series: a tenth of it, a multiple of 8 from 16 to 256."""
    return min(256, max(16, 8 * (steps // 80)), steps)


def cut_windows(collected: Collected, size: int | None) -> int | None:
    """Cuts the long series of every split into windows, in place; returns their length.

    Windows overlap by three quarters where the data say what is for training and what for testing. Where they
    do not, a part may later be held out at random, so no two windows share a step. A window has the label that
    all its steps have, or none. Nothing is cut where every series is a sample.
    """
    if not any(split.whole for split in collected.splits.values()):
        return None
    train = collected.splits.get("train", next(iter(collected.splits.values())))
    window = size or default_window(train.series[0].shape[1])
    stride = max(1, window // OVERLAP) if len(collected.splits) > 1 else window
    counts = []
    for name, split in collected.splits.items():
        x = split.series[0]
        if x.shape[1] < window:
            raise InputError(
                f"the {name} split has {x.shape[1]:,} steps, fewer than a window of {window:,}; "
                f"take a smaller one with --size"
            )
        starts = list(range(0, x.shape[1] - window + 1, stride))
        collected.splits[name] = Split(
            [x[:, s : s + window] for s in starts],
            _Started(split.where, starts),
            None if split.label is None else _window_labels(split.label, starts, window),
        )
        counts.append(f"{x.shape[1]:,}")
    apart = "one after the other" if stride == window else f"every {stride:,}, within a split"
    collected.notes.append(
        f"one series of {' + '.join(counts)} steps cut into windows of {window:,}, {apart}"
    )
    return window


class _Started:
    """Where a window is found: at its first step."""

    def __init__(self, where, starts: list[int]) -> None:
        self.where, self.starts = where, starts

    def __call__(self, i: int) -> str:
        return self.where(self.starts[i])


def _window_labels(label: Tensor, starts: list[int], window: int) -> Tensor:
    if label.is_floating_point():
        return torch.stack([label[s + window - 1] for s in starts])  # the target at its last step
    parts = label.unfold(0, window, 1)[starts]
    return torch.where((parts == parts[:, :1]).all(1), parts[:, 0], -1)


def usable(collected: Collected, channels: int | None) -> int:
    """Leaves out, in place, what no network can read, and enters it in ``skipped``; returns the channels.

    Left out are series without a step or without a number, and those whose channels are fewer or more than
    ``channels``, or than most have.

    Raises:
        InputError: when nothing is left.
    """
    counts = [
        s.shape[0] for split in collected.splits.values() for s in split.series if not isinstance(s, str)
    ]
    if channels is None:
        channels = max(set(counts), key=counts.count) if counts else 1
    elif counts and channels not in counts:
        raise InputError(f"these series have {counts[0]} channels, and the model was trained on {channels}")
    for name, split in collected.splits.items():
        reasons = [_fault(series, channels) for series in split.series]
        kept = [i for i, reason in enumerate(reasons) if not reason]
        faults = [Skipped(split.where(i), reason) for i, reason in enumerate(reasons) if reason]
        collected.skipped += faults
        if not faults:
            continue
        label = None if split.label is None else split.label[kept]
        collected.splits[name] = Split([split.series[i] for i in kept], split.where, label)
    collected.splits = {name: split for name, split in collected.splits.items() if split.series}
    if not collected.splits:
        first = collected.skipped[0]
        raise InputError(f"no series could be read (first: {first.path} {first.reason})")
    return channels


def _fault(series: np.ndarray | str, channels: int) -> str:
    if isinstance(series, str):
        return series
    if series.shape[1] == 0:
        return "is empty"
    if series.shape[0] != channels:
        return f"has {series.shape[0]} channels, not {channels}"
    return "" if np.isfinite(series).any() else "holds no number, only missing values"


def fill_gaps(collected: Collected) -> float:
    """Missing values (NaN, infinite) become those on the straight line between their neighbours in time, at
    the ends the nearest one; in place. Returns their share.

    A channel without any number stays NaN; it becomes its mean in training, once that is known.
    """
    missing = total = 0
    for split in collected.splits.values():
        for i, x in enumerate(split.series):
            finite = np.isfinite(x)
            total += x.size
            if finite.all():
                continue
            missing += int(x.size - finite.sum())
            x = np.array(x)
            steps = np.arange(x.shape[1])
            for row, seen in zip(x, finite):
                row[:] = np.interp(steps, steps[seen], row[seen]) if seen.any() else np.nan
            split.series[i] = x
    return missing / max(1, total)


def resize(collected: Collected, size: int) -> None:
    """Every series brought to ``size`` steps by linear interpolation, antialiased; in place."""
    for split in collected.splits.values():
        for i, x in enumerate(split.series):
            if x.shape[1] != size:
                row = torch.from_numpy(np.ascontiguousarray(x))[None, :, None]
                y = F.interpolate(row, (1, size), mode="bilinear", antialias=True, align_corners=False)
                split.series[i] = y[0, :, 0].numpy()


def scale(split: Split) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel over all steps; a constant channel has deviation 1."""
    values = np.concatenate(split.series, 1).astype(np.float64)
    seen = np.isfinite(values)
    count = np.maximum(seen.sum(1), 1)
    mean = np.where(seen, values, 0).sum(1) / count
    variance = (np.where(seen, values - mean[:, None], 0) ** 2).sum(1) / count
    # what varies only by rounding is constant
    std = np.where(variance > (1e-6 * np.abs(mean)) ** 2, np.sqrt(variance), 1.0)
    std = np.where(std > 0, std, 1.0)
    return [float(f"{v:.7g}") for v in mean], [float(f"{v:.7g}") for v in std]


def pack(split: Split, mean: list[float], fixed: bool) -> Tensor | Ragged:
    """``(samples, channels, time)``, or Ragged with ``(time, channels)`` a sample when lengths differ."""
    fill = np.asarray(mean, np.float32)[:, None]
    series = [x if np.isfinite(x[:, 0]).all() else np.where(np.isfinite(x), x, fill) for x in split.series]
    if fixed:
        return torch.from_numpy(np.stack(series))
    return Ragged.of([torch.tensor(x.T) for x in series])
