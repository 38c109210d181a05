"""Histories as one token an event."""

import math
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from anyview.data.batch import Ragged
from anyview.encoders.base import Targets, Tokenizer, Tokens
from anyview.errors import InputError

Histories = dict[str, Ragged]  # time (events,), numeric (events, k), categorical (events, m)


class EventTokenizer(Tokenizer):
    """A token an event: the sum of what its fields and its time say.

    A number is its field's vector times its value, a category has a vector of its own, a missing number one
    too. Time is the logarithm of the gap since the event before, and, where times are dates, the phase of the
    day and of the week; no token says when its event was, so that slices of a history are told apart by what
    happens in them.

    The target of an event is the category of its main field (for logs of numbers alone, the bin of the first).

    Args:
        edges: of each numeric field, the edges between its bins.
        sizes: of each categorical field, the number of its codes.
        main: the categorical field that is the target, or None.
        gap: the usual gap between events, in the unit of time.
        dated: whether times are days of a calendar, counted from a Monday.
        longest: events in the longest history.
        dim: width of a token.
    """

    modality = "events"
    mask_ratio = 0.3
    axes = 1
    target_kind: Literal["continuous", "categorical"] = "categorical"
    edges: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, input: dict[str, Any], dim: int, patch: int | None) -> "EventTokenizer":
        if patch is not None:
            raise InputError("the tokens of a history are its events; leave patch out")
        names = ("edges", "sizes", "main", "gap", "dated", "longest")
        return cls(**{name: input[name] for name in names}, dim=dim)

    def __init__(
        self,
        edges: list[list[float]],
        sizes: list[int],
        main: int | None,
        gap: float,
        dated: bool,
        longest: int,
        dim: int,
    ) -> None:
        super().__init__()
        self.dim, self.main, self.gap, self.dated, self.grid = dim, main, gap, dated, (longest,)
        if not edges and main is None:
            raise InputError("events need a field to be read")
        first = edges[0] if edges else []
        self.target_size = len(first) + 2 if main is None else sizes[main]
        self.register_buffer("edges", torch.tensor(first), persistent=False)
        of_codes = torch.tensor(sizes, dtype=torch.int64)
        self.register_buffer("offsets", of_codes.cumsum(0) - of_codes, persistent=False)
        bound = dim**-0.5
        self.weight = nn.Parameter(torch.empty(len(edges), dim).uniform_(-bound, bound))
        self.missing = nn.Parameter(torch.empty(len(edges), dim).uniform_(-bound, bound))
        self.codes = nn.Parameter(torch.empty(sum(sizes), dim).uniform_(-bound, bound))
        self.time = nn.Linear(5 if dated else 1, dim)

    def layout(self, x: Histories) -> tuple[Float[Tensor, "batch events 1"], Bool[Tensor, "batch events"]]:
        """The place of every event in its history."""
        length = x["time"].length
        place = torch.arange(int(length.max()), device=length.device)
        coords = place.float()[None, :, None].expand(len(length), -1, -1)
        return coords, place < length[:, None]

    def embed(self, x: Histories) -> Tokens:
        values, _ = Ragged(self.events(x), x["time"].length).padded()
        return Tokens(values, *self.layout(x))

    def events(self, x: Histories) -> Float[Tensor, "events dim"]:
        """The tokens packed end to end, as the payload is."""
        numeric, categorical = x["numeric"].values, x["categorical"].values
        gone = numeric.isnan()
        of_numbers = numeric.masked_fill(gone, 0.0).to(self.weight.dtype) @ self.weight
        of_numbers = of_numbers + gone.to(self.weight.dtype) @ self.missing
        of_codes = self.codes[categorical + self.offsets].sum(1)
        return of_numbers + of_codes + self.time(self.when(x["time"]))

    def when(self, time: Ragged) -> Float[Tensor, "events features"]:
        """What a token knows of its time."""
        t = time.values
        gap = torch.cat([t.new_zeros(1), t[1:] - t[:-1]])
        gap[time.starts] = 0.0  # the first event of a history follows none
        features = [torch.log1p(gap / self.gap)]
        if self.dated:
            for angle in (2 * math.pi * (t % 1.0), 2 * math.pi / 7 * (t % 7.0)):
                features += [angle.sin(), angle.cos()]
        return torch.stack(features, 1).to(self.weight.dtype)

    def targets(self, x: Histories) -> Targets:
        values, _ = Ragged(self.classes(x), x["time"].length).padded()
        return Targets(values, self.target_kind, self.target_size)

    def classes(self, x: Histories) -> Int64[Tensor, "events"]:
        """The class of every event, packed."""
        if self.main is not None:
            return x["categorical"].values[:, self.main]
        first = x["numeric"].values[:, 0]
        return ((first[:, None] > self.edges).sum(1) + 1).masked_fill(first.isnan(), 0)
