"""Pairs: their two sides, and what protocols of them share."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError

BLOCK = 2**24  #: similarities held at a time (64 MB)
TIE = 1e-6  #: cosines in float32 that differ by less are equal


@dataclass(frozen=True)
class Sides:
    """Embeddings of the two sides of pairs, in the same order."""

    first: Float[Tensor, "pairs dim"]
    second: Float[Tensor, "pairs dim"]


def compared(sides: Sides) -> Float[Tensor, "pairs features"]:
    """Features of pairs for classification (SentEval): their absolute difference beside their product."""
    return torch.cat([(sides.first - sides.second).abs(), sides.first * sides.second], 1)


def check_finite(name: str, split: str, sides: Sides) -> None:
    """Raises InputError that names the representation and the first pair that is not finite."""
    finite = sides.first.isfinite().all(1) & sides.second.isfinite().all(1)
    if not finite.all():
        row = int((~finite).nonzero()[0])
        raise InputError(
            f'representation "{name}" is not finite (NaN or infinite) in {int((~finite).sum())} of '
            f"{len(finite)} {split} pairs, first pair {row}. Look at that sample, or at the run's health."
        )
