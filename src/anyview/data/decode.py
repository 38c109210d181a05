"""Items decoded once and held where they fit in memory, else each time they are fetched: volumes and clips."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from anyview.data.source import Items, MemorySource, Skipped, Source, StreamSource, UnreadableError
from anyview.data.workers import cores

#: datasets up to this many decoded bytes are decoded once and held
MAX_HELD_BYTES = 2**30
PROBED = 256  #: samples of train that mean and deviation are of
_AT_ONCE = 64  #: items given to a thread


@dataclass
class Undecoded:
    """One split before decoding: what ``decode`` takes, how a person finds each again, and labels."""

    items: Items
    where: Callable[[int], str]
    label: Tensor | None = None

    def __len__(self) -> int:
        return len(self.items)


def decoded(
    modality: str,
    splits: dict[str, Undecoded],
    decode: Callable[[Any], Tensor],
    shape: tuple[int, ...],
    skipped: list[Skipped],
    names: list[str] | None = None,
    threads: int | None = None,
) -> dict[str, Source]:
    """A source for every split with a sample that can be read; what cannot be is added to ``skipped``.

    Args:
        decode: one item -> uint8 of ``shape``; raises ``UnreadableError``. Called from several threads.
        names: of the classes.
    """
    sources: dict[str, Source] = {}
    held = sum(len(split) for split in splits.values()) * math.prod(shape) <= MAX_HELD_BYTES
    for name, split in splits.items():
        if not held:
            sources[name] = StreamSource(
                modality, {}, split.items, decode, split.where, split.label, names, skipped
            )
            continue
        x = torch.empty(len(split), *shape, dtype=torch.uint8)
        broken = _fill(x, split.items, decode, threads or cores())
        skipped += [Skipped(split.where(place), reason) for place, reason in sorted(broken.items())]
        kept = torch.ones(len(split), dtype=torch.bool)
        kept[list(broken)] = False
        label = None if split.label is None else split.label[kept]
        if kept.any():
            sources[name] = MemorySource(modality, {}, x[kept] if broken else x, label, names, skipped)
    return sources


def _fill(x: Tensor, items: Items, decode: Callable[[Any], Tensor], threads: int) -> dict[int, str]:
    """Decodes every item into its place of ``x``; the reasons of those that cannot be read, by place."""

    def run(start: int) -> dict[int, str]:
        failed = {}
        for i in range(start, min(start + _AT_ONCE, len(items))):
            try:
                x[i] = decode(items[i])
            except UnreadableError as error:
                failed[i] = str(error)
        return failed

    with ThreadPoolExecutor(threads) as pool:
        return {
            i: reason for part in pool.map(run, range(0, len(items), _AT_ONCE)) for i, reason in part.items()
        }


def statistics(source: Source) -> dict[str, list[float]]:
    """Mean and deviation of each channel, on the scale 0..1, over ``PROBED`` samples spread evenly."""
    count = min(PROBED, len(source))
    index = torch.arange(count) * len(source) // count
    total, squares = torch.zeros(1), torch.zeros(1)
    for part in index.split(16):
        x = source.fetch(part).x.double().div_(255).flatten(2)
        total, squares = total + x.mean(2).sum(0), squares + x.square().mean(2).sum(0)
    mean = total / count
    # what never changes would have none
    std = (squares / count - mean.square()).clamp_min(0).sqrt().clamp_min(1 / 255)
    return {"mean": [round(v, 6) for v in mean.tolist()], "std": [round(v, 6) for v in std.tolist()]}
