"""A bag of tokens: the mean of their vectors, whatever their order."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.data.batch import Ragged
from anyview.encoders.base import Encoder, Tokens, unused
from anyview.encoders.tokenizers.text import TextTokenizer


class BagEncoder(Encoder):
    """The mean of the vectors of a sample's tokens (fastText, arXiv:1607.01759, without its n-grams).

    It has one layer, which is its input: the tokens themselves, without positions.

    Args:
        tokenizer: gives the tokens and sets the width ``dim``.
    """

    can_drop = True
    depth = 0

    def __init__(self, tokenizer: TextTokenizer) -> None:
        super().__init__()
        self.tokenizer, self.dim = tokenizer, tokenizer.dim
        self.mask_token = nn.Parameter(0.02 * torch.randn(self.dim))

    def forward(self, x: Ragged) -> Float[Tensor, "batch dim"]:
        mean = F.embedding_bag(
            x.values, self.tokenizer.table.weight, x.starts, mode="mean"
        )  # without padding
        return self.tokenizer.scale * mean + unused(self.mask_token)

    def layout(self, x: Ragged) -> tuple[Float[Tensor, "batch tokens axes"], Bool[Tensor, "batch tokens"]]:
        return self.tokenizer.layout(x)

    def tokens(
        self,
        x: Ragged,
        mask: Bool[Tensor, "batch tokens"] | None = None,
        masked: Literal["drop", "replace"] = "drop",
        layers: list[int] | None = None,
    ) -> Tokens | list[Tokens]:
        if layers is not None:
            self.check_layers(layers)
        tokens = self.tokenizer.embed(x)
        values = tokens.values + unused(self.mask_token)
        if mask is not None and masked == "replace":
            values = torch.where(mask[..., None], self.mask_token.to(values.dtype), values)
        tokens = Tokens(values, tokens.coords, tokens.valid)
        if mask is not None and masked == "drop":
            tokens = tokens.gather(~mask)
        return tokens if layers is None else [tokens for _ in layers]
