"""Where samples come from once they are open: ``Source`` is one split, ``Dataset`` its splits together."""

import copy
import csv
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Int, Shaped, UInt8
from torch import Tensor

from anyview.data.batch import Batch, Payload, payload_len, payload_map, payload_steps
from anyview.data.streamed import AT_ONCE, Ahead, Shelved, windowed
from anyview.errors import InputError, RunError, nearest
from anyview.files import write_text

Spec = dict[str, Any]

#: class of a pixel that has none
NO_CLASS = 255
#: what stands beside each sample for evaluation alone
BESIDE = ("label", "segmentation", "group")
#: so many unreadable samples one after the other mean that the place is gone, not that a sample is broken
GIVE_UP_AFTER = 100


class Skipped(NamedTuple):
    """A sample that was left out: where it lies and why it could not be read."""

    path: str
    reason: str


class UnreadableError(Exception):
    """One sample that cannot be read. Its text is the reason that is shown to people."""


@runtime_checkable
class Items(Protocol):
    """Things by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int, /) -> Any: ...


class Source:
    """One split of a dataset: samples by number.

    Attributes:
        modality: name of the reader that made it.
        spec: what one sample looks like, in JSON's types; the same for all splits of a dataset.
        label: ``(samples,)`` int64 classes with -1 for unknown, float32 targets with NaN for unknown, or None.
        label_names: the class of each label, or None.
        segmentation: ``(samples, rows, columns)`` uint8, the class of every pixel, ``NO_CLASS`` where it has none; or
            None. Evaluation reads it here: no batch carries it.
        segment_names: the classes of pixels, or None.
        group: ``(samples,)`` int64, what else samples are told apart by in evaluation; or None.
        group_names: what the groups are called, or None.
        in_memory: whether ``fetch`` is a mere copy, so that workers would only cost.
        skipped: what could not be read so far; shared by all splits of a dataset.
    """

    in_memory: bool
    segmentation: UInt8[Tensor, "samples rows columns"] | None = None
    segment_names: list[str] | None = None
    group: Int[Tensor, "samples"] | None = None
    group_names: list[str] | None = None

    def __init__(
        self,
        modality: str,
        spec: Spec,
        count: int,
        label: Shaped[Tensor, "samples"] | None = None,
        label_names: list[str] | None = None,
        skipped: list[Skipped] | None = None,
    ) -> None:
        if label is not None and len(label) != count:
            raise InputError(f"{count:,} samples have {len(label):,} labels; give one label for each sample")
        self.modality, self.spec = modality, spec
        self.label, self.label_names = label, label_names
        self.skipped: list[Skipped] = [] if skipped is None else skipped
        self._rows = torch.arange(count)  # place in this split -> place in what was opened

    def __len__(self) -> int:
        return len(self._rows)

    def fetch(self, index: Int[Tensor, "batch"]) -> Batch:
        """The samples at these places, in this order."""
        raise NotImplementedError(f"{type(self).__name__} has no fetch")

    def lengths(self) -> Int[Tensor, "samples"] | None:
        """Steps of each sample, where they differ and are known without reading."""
        return None

    def order(self, generator: torch.Generator) -> Int[Tensor, "samples"]:
        """A random order of all samples for an epoch, such that they can be fetched as they come."""
        return torch.randperm(len(self), generator=generator)

    def ahead(self, order: Int[Tensor, "samples"]) -> Callable[[Int[Tensor, "batch"]], None]:
        """Is told in which order samples will be fetched; what it gives is told of each batch before it is."""
        return _nothing

    def where(self, place: int) -> str:
        """How a person finds the sample at this place again."""
        return f"sample {place:,}"

    def take(self, index: Int[Tensor, "subset"]) -> "Source":
        """The samples at these places as a source of their own, numbered from 0. Nothing is copied."""
        part = copy.copy(self)
        part._rows = self._rows[index]
        for name in BESIDE:
            value = getattr(self, name)
            setattr(part, name, None if value is None else value[index])
        return part

    def hidden(self) -> "Source":
        """The same samples without anything that says what they are."""
        part = copy.copy(self)
        for name in BESIDE:
            setattr(part, name, None)
        return part

    def _batch(self, x: Payload, index: Int[Tensor, "batch"]) -> Batch:
        return Batch(x, index, None if self.label is None else self.label[index])


def _nothing(index: Tensor) -> None:
    """Samples that lie here need no fetching."""


class MemorySource(Source):
    """Samples that are held decoded: ``payload`` has the samples first (for images uint8, N x C x H x W)."""

    in_memory = True

    def __init__(
        self,
        modality: str,
        spec: Spec,
        payload: Payload,
        label: Shaped[Tensor, "samples"] | None = None,
        label_names: list[str] | None = None,
        skipped: list[Skipped] | None = None,
    ) -> None:
        super().__init__(modality, spec, payload_len(payload), label, label_names, skipped)
        self._payload = payload

    def fetch(self, index: Int[Tensor, "batch"]) -> Batch:
        rows = self._rows[index]
        return self._batch(payload_map(self._payload, lambda leaf: leaf[rows]), index)

    def lengths(self) -> Int[Tensor, "samples"] | None:
        length = payload_steps(self._payload)
        return None if length is None else length[self._rows]


class StreamSource(Source):
    """Samples that are decoded each time they are fetched.

    A sample that turns out to be unreadable is entered in ``skipped`` and the next readable one of the split
    stands in for it: ``Batch.index`` and ``Batch.label`` are then those of the sample that is really there.

    Args:
        items: what ``decode`` takes, by number (paths, bytes, objects).
        decode: one item -> payload of one sample; raises ``UnreadableError``.
        where: number -> how a person finds this item again.
        collate: list of decoded samples -> payload of a batch.
    """

    in_memory = False

    def __init__(
        self,
        modality: str,
        spec: Spec,
        items: Items,
        decode: Callable[[Any], Any],
        where: Callable[[int], str],
        label: Shaped[Tensor, "samples"] | None = None,
        label_names: list[str] | None = None,
        skipped: list[Skipped] | None = None,
        collate: Callable[[list[Any]], Payload] = torch.stack,
    ) -> None:
        super().__init__(modality, spec, len(items), label, label_names, skipped)
        self._items, self._decode, self._where, self._collate = items, decode, where, collate

    def fetch(self, index: Int[Tensor, "batch"]) -> Batch:
        places = index.tolist()
        if isinstance(self._items, Shelved) and self._items.remote is not None:  # the network is waited for
            with ThreadPoolExecutor(AT_ONCE) as pool:
                found = list(pool.map(self._readable, places))
        else:
            found = [self._readable(place) for place in places]
        return self._batch(
            self._collate([sample for _, sample in found]), torch.tensor([place for place, _ in found])
        )

    def order(self, generator: torch.Generator) -> Int[Tensor, "samples"]:
        order, shard = super().order(generator), self._shards()
        return order if shard is None else windowed(order, shard, generator)

    def ahead(self, order: Int[Tensor, "samples"]) -> Callable[[Int[Tensor, "batch"]], None]:
        shard = self._shards()
        if shard is None or not isinstance(self._items, Shelved) or self._items.remote is None:
            return _nothing
        tell = Ahead(self._items.remote, shard[order])
        return lambda index: tell(shard[index])

    def _shards(self) -> Int[Tensor, "samples"] | None:
        """The shard of each sample when shards lie at an address."""
        shard = self._items.shards() if isinstance(self._items, Shelved) else None
        return None if shard is None else shard[self._rows]

    def where(self, place: int) -> str:
        return f"sample {place:,} ({self._where(int(self._rows[place]))})"

    def _readable(self, place: int) -> tuple[int, Any]:
        """The sample at ``place``, or the next one that can be read, with the place where it is."""
        reason = ""
        for step in range(min(len(self), GIVE_UP_AFTER)):
            here = (place + step) % len(self)
            row = int(self._rows[here])
            try:
                return here, self._decode(self._items[row])
            except UnreadableError as error:
                entry = Skipped(self._where(row), str(error))
                reason = reason or f"{entry.path}: {entry.reason}"
                if entry not in self.skipped:
                    self.skipped.append(entry)
        raise RunError(
            f"{min(len(self), GIVE_UP_AFTER)} samples in a row could not be read (first: {reason}); "
            "is the data still where it was?"
        )


@dataclass
class Dataset:
    """What ``open`` found: splits of one modality, and what was left out.

    Attributes:
        name: how the dataset is called in print.
        splits: ``train``, ``validation``, ``test`` as found, or names of its own.
        skipped: what could not be read; streaming splits add to it when they meet more.
        notes: what the reader has to say about the samples (sizes, conversions), in words.
        unlabelled: what pretraining reads when it is more than ``train``, such as all nodes of a graph.
    """

    name: str
    modality: str
    splits: dict[str, Source]
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unlabelled: Source | None = None

    @property
    def pretraining(self) -> Source:
        """What is pretrained on: ``train``, unless there is more that needs no labels."""
        return self.train if self.unlabelled is None else self.unlabelled

    @property
    def train(self) -> Source:
        """What is learned from: the split called train, or the only split there is."""
        if len(self.splits) == 1:
            return next(iter(self.splits.values()))
        return self.split("train")

    @property
    def spec(self) -> Spec:
        return next(iter(self.splits.values())).spec

    @property
    def label_names(self) -> list[str] | None:
        return next(iter(self.splits.values())).label_names

    def split(self, name: str) -> Source:
        """The split of this name.

        Raises:
            InputError: names the splits there are.
        """
        if name not in self.splits:
            guess = nearest(name, self.splits)
            hint = f'; did you mean "{guess}"?' if guess else ""
            raise InputError(f'{self.name} has no split "{name}"{hint} (splits: {", ".join(self.splits)})')
        return self.splits[name]

    def with_validation(self, fraction: float = 0.1, seed: int = 0) -> "Dataset":
        """The same dataset with a validation split, cut from train when there is none.

        Every class gives its share where there are labels, and keeps at least one sample in train.
        """
        return self._with("validation", fraction, seed)

    def with_test(self, fraction: float = 0.2, seed: int = 0) -> "Dataset":
        """The same dataset with a test split, cut from train (in the same manner) when there is none."""
        return self._with("test", fraction, seed + 1)

    def _with(self, name: str, fraction: float, seed: int) -> "Dataset":
        if not 0 < fraction < 1:
            raise InputError(
                f"a fraction of {fraction:g} cannot be held out for {name}; give one between 0 and 1"
            )
        if name in self.splits:
            return self
        held = _hold_out(self.train, fraction, seed)
        if not held.any():
            raise InputError(
                f"{self.name} has {len(self.train):,} samples to train on: too few to hold some out for {name}"
            )
        splits = dict(self.splits)
        if "train" not in splits:
            splits = {"train": splits.pop(next(iter(splits)))}
        splits["train"], splits[name] = (self.train.take(part.nonzero()[:, 0]) for part in (~held, held))
        return replace(self, splits=splits)

    def describe(self) -> list[str]:
        """Facts for print, most telling first: counts, sizes, classes, what was left out."""
        facts = [", ".join(f"{len(source):,} {name}" for name, source in self.splits.items()), *self.notes]
        labels = [source.label for source in self.splits.values() if source.label is not None]
        if labels and labels[0].is_floating_point():
            known = torch.cat(labels)
            known = known[known.isfinite()]
            facts.append(
                f"targets {float(known.min()):.3g} to {float(known.max()):.3g}"
                if len(known)
                else "no targets"
            )
        elif labels:
            known = torch.cat(labels)
            classes = len(known[known >= 0].unique())
            facts.append(f"{classes:,} class{'es' if classes != 1 else ''}")
        elif (first := next(iter(self.splits.values()))).segmentation is not None:
            facts.append(f"{len(first.segment_names or []) or 'several'} classes of pixels")
        else:
            facts.append("no labels")
        if self.skipped:
            facts.append(
                f"{len(self.skipped):,} left out (first: {self.skipped[0].path}: {self.skipped[0].reason})"
            )
        return facts

    def write_skipped(self, path: str | os.PathLike[str]) -> None:
        """Writes what was left out as CSV (path, reason), whole or not at all."""
        table = io.StringIO(newline="")
        writer = csv.writer(table)
        writer.writerow(Skipped._fields)
        writer.writerows(self.skipped)
        write_text(Path(path), table.getvalue())


def _hold_out(source: Source, fraction: float, seed: int) -> Tensor:
    """``(samples,)`` bool: which to hold out, ``fraction`` of every class to within one sample."""
    count = len(source)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    classes = source.label is not None and not source.label.is_floating_point()
    label = source.label if classes and source.label is not None else torch.zeros(count, dtype=torch.int64)
    order = order[label[order].argsort(stable=True)]  # by class, at random within
    held = torch.zeros(count, dtype=torch.bool)
    # Every 1/fraction-th sample of this order, so small classes together give their share too.
    share = (torch.arange(1, count + 1, dtype=torch.float64) * fraction + 0.5).floor()
    held[order] = torch.diff(share, prepend=share.new_zeros(1)) > 0
    if count > 1 and not held.any():
        held[order[-1]] = True
    for value in label.unique():
        members = (label == value).nonzero()[:, 0]
        if held[members].all():
            held[members[0]] = False
    return held
