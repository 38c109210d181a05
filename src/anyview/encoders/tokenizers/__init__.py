"""One file a modality: how its samples are cut into tokens. A file put here is found by itself."""

from typing import Any

from anyview.encoders.base import Tokenizer
from anyview.errors import InputError
from anyview.plugins import modules


def tokenizer(input: dict[str, Any], dim: int, patch: int | None = None) -> Tokenizer:
    """The tokenizer of the modality that ``input`` describes.

    Args:
        input: what a network must know of a sample, with its ``modality``; see ``Modality.input``.
        dim: width of a token.
        patch: how much of the sample a token covers, in the modality's steps; None follows the sample.

    Raises:
        InputError: when this modality has no tokens, or none whose size can be chosen.
    """
    modules(__name__)
    kinds = {kind.modality: kind for kind in Tokenizer.__subclasses__() if hasattr(kind, "modality")}
    if input["modality"] not in kinds:
        raise InputError(f"{input['modality']} data is not cut into tokens; take another encoder")
    return kinds[input["modality"]].of(input, dim, patch)


__all__ = ["tokenizer"]
