"""From a source to batches: ``Loader`` for training, ``batches`` in order for embedding."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from anyview.data.batch import Batch
from anyview.data.source import Skipped, Source
from anyview.data.workers import cores
from anyview.errors import InputError, RunError

MAX_WORKERS = 4


class Loader:
    """Endless training batches, each a pure function of ``seed`` and its step.

    Epoch e goes through a permutation drawn from (seed, e) and batch k of it is the k-th slice; a last
    partial batch is dropped, unless the whole set is smaller than a batch. Of shards that are streamed the
    permutation ends with some before it goes on to others. Each of ``world_size`` processes
    gets its part of the same global batch, in order of rank, so that together they see what one would.

    Sources in memory are copied from on the spot: a worker or a thread would cost more than it hides.

    Args:
        batch_size: samples in a global batch, over all ranks.
        start_step: the first step to give; resuming at k equals skipping k.
        workers: processes that decode a streaming source; None takes a core each, ``MAX_WORKERS`` at most.
        pin: batches lie in page-locked memory, for a GPU.

    Attributes:
        step: number of the batch that comes next.
        steps_per_epoch: batches in a pass over the source.
        wait_seconds: time that was spent waiting for batches so far.
    """

    def __init__(
        self,
        source: Source,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        start_step: int = 0,
        workers: int | None = None,
        pin: bool = False,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch size is {batch_size}; give 1 or more")
        if len(source) == 0:
            raise InputError("there are no samples to load")
        size = min(batch_size, len(source))
        if size == len(source):
            size -= size % world_size  # the whole set is one batch: its parts must still be equal
        if size < 1 or size % world_size:
            raise InputError(
                f"a batch of {size or len(source):,} cannot be shared equally by {world_size} processes; "
                f"give a multiple of {world_size}"
            )
        self.source, self.seed, self.step = source, seed, start_step
        self.batch_size = size
        self.steps_per_epoch = len(source) // size
        self.wait_seconds = 0.0
        self._part = slice(rank * size // world_size, (rank + 1) * size // world_size)
        self._workers = _worker_count(source, workers)
        self._pin = pin and torch.cuda.is_available()
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)
        self._ahead: Callable[[Tensor], None] = source.ahead(self._order)
        self._stream: Iterator[Batch] | None = None

    def indices(self, step: int) -> Int[Tensor, "batch"]:
        """What this rank loads at a step: places in the source."""
        epoch, k = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            (mixed,) = (
                np.random.SeedSequence([self.seed % 2**63, epoch]).generate_state(1, np.uint64).tolist()
            )
            self._order = self.source.order(torch.Generator().manual_seed(mixed >> 1))
            self._ahead = self.source.ahead(self._order)
            self._epoch = epoch
        index = self._order[k * self.batch_size : (k + 1) * self.batch_size]
        self._ahead(index)
        return index[self._part]

    def __iter__(self) -> "Loader":
        return self

    def __next__(self) -> Batch:
        start = time.perf_counter()
        if self._workers == 0:
            batch = self.source.fetch(self.indices(self.step))
            batch = batch.pin_memory() if self._pin else batch
        else:
            if self._stream is None:
                steps = _Steps(self, self.step)
                self._stream = _through_workers(self.source, steps, self._workers, self._pin)
            batch = next(self._stream)
        self.step += 1
        self.wait_seconds += time.perf_counter() - start
        return batch

    def close(self) -> None:
        """Ends the workers; the next batch would start new ones."""
        self._stream = None


def batches(
    source: Source, batch_size: int, workers: int | None = None, alike: bool = False
) -> Iterator[Batch]:
    """All samples once and in order, the last batch as small as it comes.

    Args:
        alike: put samples of similar length together, the longest first, where the source knows their lengths, so
            that little is padded; their places are in ``Batch.index``.
    """
    if batch_size < 1:
        raise InputError(f"batch size is {batch_size}; give 1 or more")
    lengths = source.lengths() if alike else None
    order = torch.arange(len(source)) if lengths is None else lengths.argsort(descending=True, stable=True)
    parts = _Parts(order.split(batch_size), source.ahead(order))
    count = _worker_count(source, workers)
    if count == 0:
        return (source.fetch(part) for part in parts)
    return _through_workers(source, parts, min(count, len(parts.parts)), pin=False)


def _worker_count(source: Source, workers: int | None) -> int:
    if source.in_memory:
        return 0
    return min(MAX_WORKERS, cores()) if workers is None else workers


class _Steps:
    """The indices of step after step, without end."""

    def __init__(self, loader: Loader, start: int) -> None:
        self.loader, self.start = loader, start

    def __iter__(self) -> Iterator[Tensor]:
        step = self.start
        while True:
            yield self.loader.indices(step)
            step += 1


@dataclass
class _Parts:
    """The indices of batch after batch, each told ahead."""

    parts: Sequence[Tensor]
    ahead: Callable[[Tensor], None]

    def __iter__(self) -> Iterator[Tensor]:
        for part in self.parts:
            self.ahead(part)
            yield part


class _Fetch(TorchDataset[Any]):
    """What runs in a worker: the batch, and what turned out to be unreadable, for the process that asked."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __getitem__(self, index: Tensor) -> tuple[Batch | str, list[Skipped]]:
        before = len(self.source.skipped)
        try:
            batch: Batch | str = self.source.fetch(index)
        except (InputError, RunError) as error:  # raised here it would come with the worker's traceback
            batch = str(error)
        return batch, self.source.skipped[before:]


def _through_workers(source: Source, parts: Iterable[Tensor], workers: int, pin: bool) -> Iterator[Batch]:
    loader = DataLoader(
        _Fetch(source),
        sampler=parts,
        batch_size=None,
        num_workers=workers,
        pin_memory=pin,
        generator=torch.Generator(),  # of its own: the global generator belongs to views and dropout
        collate_fn=_same,
    )
    for batch, skipped in loader:
        source.skipped += [entry for entry in skipped if entry not in source.skipped]
        if isinstance(batch, str):
            raise RunError(batch)
        yield batch


def _same(sample: Any) -> Any:
    return sample
