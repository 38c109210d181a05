"""What flows through the house: ``Batch``, and ``Ragged`` for samples of varying length."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

Payload = Any  # Tensor | Leaf (Ragged, graphs) | dict[str, Payload]


@runtime_checkable
class Leaf(Protocol):
    """What a payload may be made of besides tensors: samples of some kind, many in one object."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> "Leaf": ...

    def to(self, *args: Any, **kwargs: Any) -> "Leaf":
        """As of tensors; a dtype changes fractions only."""
        ...

    def pin_memory(self) -> "Leaf": ...

    @staticmethod
    def cat(leaves: Sequence[Any]) -> "Leaf":
        """Their samples in one object, in order."""
        ...

    def kind(self) -> Any:
        """What must agree for two to be put together: the shape of one sample, hashable."""
        ...


@dataclass(frozen=True)
class Ragged:
    """Samples of varying length, packed end to end without padding.

    ``values`` is ``(sum of lengths, ...)``; ``length`` is ``(batch,)``, int64, in steps.
    """

    values: Tensor
    length: Int[Tensor, "batch"]

    @staticmethod
    def of(samples: Sequence[Tensor]) -> "Ragged":
        """Packs samples of shape ``(length_i, ...)``."""
        return Ragged(torch.cat(list(samples)), torch.tensor([len(s) for s in samples]))

    def __len__(self) -> int:
        return len(self.length)

    @cached_property
    def starts(self) -> Int[Tensor, "batch"]:
        return self.length.cumsum(0) - self.length

    def unpack(self) -> list[Tensor]:
        """The samples one by one, each ``(length_i, ...)``."""
        return list(self.values.split(self.length.tolist()))

    def padded(self, fill: float = 0.0) -> tuple[Tensor, Tensor]:
        """``(values (batch, longest, ...), valid (batch, longest) bool)``."""
        longest = int(self.length.max()) if len(self) else 0
        valid = torch.arange(longest, device=self.length.device) < self.length[:, None]
        out = self.values.new_full((len(self), longest, *self.values.shape[1:]), fill)
        out[valid] = self.values
        return out, valid

    def __getitem__(self, index: Tensor | slice) -> "Ragged":
        if isinstance(index, slice):
            index = torch.arange(len(self), device=self.length.device)[index]
        if index.dtype == torch.bool:
            index = index.nonzero()[:, 0]
        length = self.length[index]
        ends = length.cumsum(0)
        within = torch.arange(int(length.sum()), device=length.device) - (ends - length).repeat_interleave(
            length
        )
        return Ragged(self.values[self.starts[index].repeat_interleave(length) + within], length)

    def to(self, *args: Any, **kwargs: Any) -> "Ragged":
        """Moves both; a dtype changes values that are fractions, never whole numbers or lengths."""
        device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)
        kept = dtype if self.values.is_floating_point() else self.values.dtype
        values = self.values.to(device, kept, non_blocking)
        return Ragged(values, self.length.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Ragged":
        return Ragged(self.values.pin_memory(), self.length.pin_memory())

    @staticmethod
    def cat(parts: "Sequence[Ragged]") -> "Ragged":
        """The samples of all parts, in order."""
        return Ragged(torch.cat([x.values for x in parts]), torch.cat([x.length for x in parts]))

    def kind(self) -> tuple[Any, ...]:
        """The shape of one step."""
        return ("ragged", tuple(self.values.shape[1:]))


def payload_map(x: Payload, f: Callable[[Any], Any]) -> Payload:
    """Applies ``f`` to every leaf (tensor, Ragged, graphs) of a payload."""
    return {k: payload_map(v, f) for k, v in x.items()} if isinstance(x, dict) else f(x)


def payload_len(x: Payload) -> int:
    """Number of samples in a payload."""
    return payload_len(next(iter(x.values()))) if isinstance(x, dict) else len(x)


def payload_steps(x: Payload) -> Int[Tensor, "batch"] | None:
    """Steps of each sample, of all its parts together; None where samples are of one size."""
    if isinstance(x, dict):
        known = [length for part in x.values() if (length := payload_steps(part)) is not None]
        return torch.stack(known).sum(0) if known else None
    return x.length if isinstance(x, Ragged) else None


def payload_cat(xs: Sequence[Payload]) -> Payload:
    """Concatenates payloads of one kind along the batch."""
    first = xs[0]
    if isinstance(first, dict):
        return {k: payload_cat([x[k] for x in xs]) for k in first}
    return torch.cat(list(xs)) if isinstance(first, Tensor) else type(first).cat(xs)


def payload_shape(x: Payload) -> Any:
    """What must agree for two payloads to go through a network together: the shape of one sample."""
    if isinstance(x, dict):
        return tuple((k, payload_shape(v)) for k, v in x.items())
    return tuple(x.shape[1:]) if isinstance(x, Tensor) else x.kind()


@dataclass(frozen=True)
class Batch:
    """Samples on their way from a source to a method.

    Attributes:
        x: the modality's payload; every leaf has the batch as its first axis.
        index: ``(batch,)`` int64, position of each sample in its dataset.
        label: ``(batch,)`` or None. Only evaluation may read it: the loop removes it before a method runs.
        meta: what views did (crop boxes, flips, masks), each a tensor with the batch first, or None.
    """

    x: Payload
    index: Int[Tensor, "batch"]
    label: Tensor | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.index)

    def map(self, f: Callable[[Any], Any]) -> "Batch":
        """A batch with ``f`` applied to every leaf: payload, index, label and meta."""
        return Batch(
            payload_map(self.x, f),
            f(self.index),
            None if self.label is None else f(self.label),
            {k: v if v is None else payload_map(v, f) for k, v in self.meta.items()},
        )

    def to(self, *args: Any, **kwargs: Any) -> "Batch":
        return self.map(lambda t: t.to(*args, **kwargs))

    def pin_memory(self) -> "Batch":
        return self.map(lambda t: t.pin_memory())

    def __getitem__(self, index: Tensor | slice) -> "Batch":
        return self.map(lambda t: t[index])

    def split(self, size: int) -> "list[Batch]":
        """Parts of at most ``size`` samples, in order."""
        return [self[i : i + size] for i in range(0, len(self), size)]

    def with_x(self, x: Payload, **meta: Any) -> "Batch":
        """The same samples with another payload, and what was done to them added to ``meta``."""
        return replace(self, x=x, meta={**self.meta, **meta})

    def without_label(self) -> "Batch":
        return replace(self, label=None)

    @staticmethod
    def cat(batches: "Sequence[Batch]") -> "Batch":
        """One batch of all samples, in order; ``meta`` keeps the keys that all have."""
        first = batches[0]
        keys = [k for k in first.meta if all(k in b.meta and b.meta[k] is not None for b in batches)]
        labels = [b.label for b in batches if b.label is not None]
        return Batch(
            payload_cat([b.x for b in batches]),
            torch.cat([b.index for b in batches]),
            torch.cat(labels) if len(labels) == len(batches) else None,
            {k: payload_cat([b.meta[k] for b in batches]) for k in keys},
        )
