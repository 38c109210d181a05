"""Molecules as SMILES: an atom, a bond or a bracket is a token."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.data.batch import Payload, Ragged
from anyview.encoders.base import Targets, Tokenizer, Tokens
from anyview.errors import InputError

LONGEST = 512  #: learned positions reach so far


class SmilesTokenizer(Tokenizer):
    """A learned vector for each token of a SMILES; what is rebuilt is which token stood there.

    Args:
        vocabulary: how many tokens there are, with 0 for an unknown one.
        dim: width of a token.
    """

    modality = "molecule"
    mask_ratio = 0.3
    axes = 1
    target_kind = "categorical"
    grid = (LONGEST,)

    @classmethod
    def of(cls, input: dict[str, Any], dim: int, patch: int | None) -> "SmilesTokenizer":
        if patch is not None:
            raise InputError("a token of a molecule is a symbol of its SMILES; leave patch out")
        return cls(input["vocabulary"], dim)

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.dim, self.target_size = dim, vocabulary
        self.table = nn.Embedding(vocabulary, dim)

    def layout(self, x: Payload) -> tuple[Float[Tensor, "batch tokens 1"], Bool[Tensor, "batch tokens"]]:
        """The place of each token; shorter SMILES have fewer."""
        length = x["smiles"].length
        place = torch.arange(int(length.max()), device=length.device)
        coords = place.float()[None, :, None].expand(len(length), -1, -1)
        return coords, place < length[:, None]

    def embed(self, x: Payload) -> Tokens:
        smiles: Ragged = x["smiles"]
        return Tokens(Ragged(self.table(smiles.values), smiles.length).padded()[0], *self.layout(x))

    def targets(self, x: Payload) -> Targets:
        return Targets(x["smiles"].padded()[0], self.target_kind, self.target_size)
