"""Text as numbers of tokens, each with a vector of its own."""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.data.batch import Ragged
from anyview.encoders.base import Targets, Tokenizer, Tokens
from anyview.errors import InputError


def text_input(input: dict[str, Any]) -> tuple[int, int]:
    """``(vocabulary, max_length)`` of the texts that ``input`` describes; InputError when it is none."""
    found = input.get("vocabulary"), input.get("max_length")
    if not all(isinstance(n, int) and n > 0 for n in found):
        raise InputError(f"texts have a vocabulary and a max_length, not {found[0]} and {found[1]}")
    return found  # type: ignore[return-value]


class TextTokenizer(Tokenizer):
    """A vector for every token of the vocabulary; a reconstruction names the token.

    The table has deviation ``1 / sqrt(dim)`` and is multiplied by ``sqrt(dim)`` (Vaswani et al. 2017,
    arXiv:1706.03762, section 3.4): words are as large as positions, and rare ones still learn quickly.

    Args:
        vocabulary: how many tokens there are.
        max_length: tokens of the longest text, for learned positions.
        dim: width of a token.
    """

    modality = "text"
    mask_ratio = 0.15
    axes = 1
    target_kind = "categorical"

    @classmethod
    def of(cls, input: dict[str, Any], dim: int, patch: int | None) -> "TextTokenizer":
        if patch is not None:
            raise InputError("text is cut into tokens by its vocabulary; leave patch out")
        return cls(*text_input(input), dim)

    def __init__(self, vocabulary: int, max_length: int, dim: int) -> None:
        super().__init__()
        self.dim, self.grid = dim, (max_length,)
        self.scale = math.sqrt(dim)
        self.target_size = vocabulary
        self.table = nn.Embedding(vocabulary, dim)
        nn.init.normal_(self.table.weight, std=dim**-0.5)

    def layout(self, x: Ragged) -> tuple[Float[Tensor, "batch tokens 1"], Bool[Tensor, "batch tokens"]]:
        """The place of every token in its text, from 0."""
        steps = torch.arange(int(x.length.max()), device=x.length.device)
        return steps.float()[None, :, None].expand(len(x), -1, -1), steps < x.length[:, None]

    def vectors(self, numbers: Tensor) -> Tensor:
        """The vectors of tokens."""
        return self.scale * self.table(numbers)

    def embed(self, x: Ragged) -> Tokens:
        coords, valid = self.layout(x)
        return Tokens(Ragged(self.vectors(x.values), x.length).padded()[0], coords, valid)

    def targets(self, x: Ragged) -> Targets:
        """The number of every token, ``(batch, tokens)``; 0 at padding."""
        return Targets(x.padded()[0], self.target_kind, self.target_size)
