"""Tokenizer, positions and trunk put together: the encoder of every modality that is cut into tokens."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.data.batch import Payload
from anyview.encoders.base import Encoder, Targets, Tokenizer, Tokens, unused
from anyview.encoders.lengths import by_length
from anyview.encoders.positions import Positions
from anyview.encoders.transformer import Trunk
from anyview.errors import InputError, unknown

POOLS = ("mean", "cls")


class TokenEncoder(Encoder):
    """A transformer over the tokens of any tokenizer; with image patches it is a ViT (arXiv:2010.11929).

    Args:
        tokenizer: cuts the input into tokens and sets the width ``dim``.
        positions: ``sincos``, ``learned`` or ``none``.
        registers: number of extra learned tokens that take part in mixing and are thrown away
            (arXiv:2309.16588).
        pool: ``mean`` over the valid tokens, or the output of a learned ``cls`` token.
        drop_path, dropout, mlp_ratio, mixer: see ``Trunk``.
    """

    can_drop = True

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        depth: int,
        heads: int,
        mlp_ratio: float = 4.0,
        mixer: str = "attention",
        positions: str = "sincos",
        registers: int = 0,
        pool: str = "mean",
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise unknown("pool", pool, POOLS)
        self.dim = dim = tokenizer.dim
        self.depth = depth
        self.pool = pool
        self.tokenizer = tokenizer
        self.positions = Positions(positions, dim, tokenizer.grid)
        self.trunk = Trunk(dim, depth, heads, mlp_ratio, mixer, drop_path, dropout)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.mask_token = nn.Parameter(0.02 * torch.randn(dim))
        # cls first, then registers: tokens that stand beside the input and are not returned as its tokens
        self.extra = registers + (pool == "cls")
        if self.extra:
            self.prefix = nn.Parameter(0.02 * torch.randn(self.extra, dim))

    def forward(self, x: Payload) -> Float[Tensor, "batch dim"]:
        return self.parts(x)[0]

    def parts(
        self,
        x: Payload,
        mask: Bool[Tensor, "batch tokens"] | None = None,
        masked: Literal["drop", "replace"] = "drop",
        layer: int | None = None,
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch extra dim"], Tokens]:
        """The vector, the tokens beside the input (``cls`` first, then registers) and the tokens of one pass.

        Args:
            mask, masked: see ``tokens``; with ``drop`` the vector is that of the visible tokens.
            layer: give the raw output of this layer, as ``tokens`` numbers them, instead of the normed last one.
        """
        if layer is not None:
            self.check_layers([layer])
        embedded = self._embed(x, mask, masked)
        (y,) = self._run(embedded, None if layer is None else [layer])
        y = y + unused(self.mask_token)
        extra, values = y[:, : self.extra], y[:, self.extra :]
        vector = extra[:, 0] if self.pool == "cls" else mean_valid(values, embedded.valid)
        return vector, extra, Tokens(values, embedded.coords, embedded.valid)

    def layout(self, x: Payload) -> tuple[Float[Tensor, "batch tokens axes"], Bool[Tensor, "batch tokens"]]:
        return self.tokenizer.layout(x)

    @property
    def target_size(self) -> int:
        return self.tokenizer.target_size

    def targets(self, x: Payload) -> Targets:
        return self.tokenizer.targets(x)

    def tokens(
        self,
        x: Payload,
        mask: Bool[Tensor, "batch tokens"] | None = None,
        masked: Literal["drop", "replace"] = "drop",
        layers: list[int] | None = None,
    ) -> Tokens | list[Tokens]:
        if layers is not None:
            self.check_layers(layers)
        embedded = self._embed(x, mask, masked)
        outputs = [
            Tokens(y[:, self.extra :] + unused(self.mask_token), embedded.coords, embedded.valid)
            for y in self._run(embedded, layers)
        ]
        return outputs[0] if layers is None else outputs

    def _embed(self, x: Payload, mask: Tensor | None = None, masked: str = "drop") -> Tokens:
        """Tokens with their positions; hidden ones are gone, or hold the mask token at their position."""
        tokens = self.tokenizer.embed(x)
        values = tokens.values
        if mask is not None and masked == "replace":
            values = torch.where(mask[..., None], self.mask_token.to(values.dtype), values)
        values = values + self.positions(tokens.coords).to(values.dtype)
        tokens = Tokens(values, tokens.coords, tokens.valid)
        return tokens.gather(~mask) if mask is not None and masked == "drop" else tokens

    def _run(self, tokens: Tokens, layers: list[int] | None = None) -> list[Tensor]:
        """The trunk over extra tokens and ``tokens``: the normed last output, or raw ones of ``layers``."""
        values, valid = tokens.values, tokens.valid
        if self.extra:
            values = torch.cat([self.prefix.to(values.dtype).expand(len(values), -1, -1), values], 1)
            valid = torch.cat([valid.new_ones(len(valid), self.extra), valid], 1)
        if layers is None:
            return [by_length(lambda x, v: self.norm(self.trunk(x, v)), values, valid)]
        return self.trunk(values, valid, layers)


def that_drops(encoder: Encoder, system: str) -> TokenEncoder:
    """``encoder``, for a system that hides tokens as only a ``TokenEncoder`` can.

    Raises:
        InputError: for any other encoder.
    """
    if not isinstance(encoder, TokenEncoder):
        raise InputError(
            f"{system} hides tokens, which {encoder.config['name']} cannot; try --encoder transformer-nano"
        )
    return encoder


def mean_valid(
    values: Float[Tensor, "batch tokens dim"], valid: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch dim"]:
    """Mean over the valid tokens of each sample; zero for a sample without any."""
    total = (values * valid[..., None]).sum(1)
    return total / valid.sum(1, keepdim=True).clamp(min=1).to(total.dtype)
