"""Encoders of event histories: recurrent networks."""

from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from anyview.encoders.base import Encoder, Tokens, unused
from anyview.encoders.families import Builder, Input
from anyview.encoders.token_encoder import mean_valid
from anyview.encoders.tokenizers.events import EventTokenizer, Histories
from anyview.errors import unknown

POOLS = ("mean", "last")


class EventGRU(Encoder):
    """A gated recurrent unit over embedded events, as in CoLES (arXiv:2002.08232, section 4).

    Sequences are packed: no step of the network sees padding. Layers: 0 the embedded events, then those of the
    network, each event with the state after it.

    Args:
        tokenizer: embeds the events.
        width: of the state, and of the result.
        layers: number of recurrent layers.
        pool: ``mean`` of the states of a history, or the ``last``.
    """

    can_drop = True

    def __init__(self, tokenizer: EventTokenizer, width: int, layers: int, pool: str) -> None:
        super().__init__()
        if pool not in POOLS:
            raise unknown("pool", pool, POOLS)
        self.dim, self.depth, self.pool, self.tokenizer = width, layers, pool, tokenizer
        self.norm = nn.LayerNorm(tokenizer.dim)
        widths = [tokenizer.dim] + [width] * layers
        self.layers = nn.ModuleList(nn.GRU(a, b, batch_first=True) for a, b in pairwise(widths))
        self.out_norm = nn.LayerNorm(width)
        self.mask_token = nn.Parameter(0.02 * torch.randn(tokenizer.dim))

    def forward(self, x: Histories) -> Float[Tensor, "batch dim"]:
        tokens = self.tokenizer.embed(x)
        states = self._run(tokens)[-1]
        if self.pool == "mean":
            return mean_valid(self.out_norm(states), tokens.valid) + unused(self.mask_token)
        last = tokens.valid.sum(1) - 1
        rows = torch.arange(len(last), device=last.device)
        return self.out_norm(states[rows, last]) + unused(self.mask_token)

    def layout(self, x: Histories) -> tuple[Float[Tensor, "batch events 1"], Bool[Tensor, "batch events"]]:
        return self.tokenizer.layout(x)

    def tokens(
        self,
        x: Histories,
        mask: Bool[Tensor, "batch events"] | None = None,
        masked: Literal["drop", "replace"] = "drop",
        layers: list[int] | None = None,
    ) -> Tokens | list[Tokens]:
        """The states of every event; hidden events are gone, or a learned vector stands in their place."""
        if layers is not None:
            self.check_layers(layers)
        tokens = self.tokenizer.embed(x)
        if mask is not None and masked == "drop":
            tokens = tokens.gather(~mask)
        elif mask is not None:
            hidden = torch.where(mask[..., None], self.mask_token.to(tokens.values.dtype), tokens.values)
            tokens = Tokens(hidden, tokens.coords, tokens.valid)
        zero = unused(self.mask_token)
        states = self._run(tokens)
        if layers is None:
            return Tokens(self.out_norm(states[-1]) + zero, tokens.coords, tokens.valid)
        return [Tokens(states[i] + zero, tokens.coords, tokens.valid) for i in layers]

    def _run(self, tokens: Tokens) -> list[Tensor]:
        """The embedded events and the states of every layer, zero at padding."""
        width, length = tokens.values.shape[1], tokens.valid.sum(1).clamp(min=1).cpu()
        outputs = [tokens.values]
        y = self.norm(tokens.values)
        for layer in self.layers:
            packed = pack_padded_sequence(y, length, batch_first=True, enforce_sorted=False)
            y, _ = pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=width)
            outputs.append(y)
        return outputs


def gru(input: Input, *, width: int = 64, cell: int = 32, layers: int = 1, pool: str = "mean") -> EventGRU:
    """See ``EventGRU``; ``cell`` is the width of an embedded event."""
    return EventGRU(EventTokenizer.of(input, cell, None), width, layers, pool)


BUILDERS = {
    "gru-s": Builder(gru, ("events",)),
    "gru-m": Builder(partial(gru, width=256, cell=64), ("events",)),
}
