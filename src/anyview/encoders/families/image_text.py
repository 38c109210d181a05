"""Encoders of images with captions: a tower for each side, by the names of encoders that are there."""

from functools import partial
from typing import Any

from anyview.encoders import registry
from anyview.encoders.families import Builder, Input
from anyview.encoders.pair import PairEncoder


def pair(input: Input, *, image: str, text: str, dim: int) -> PairEncoder:
    """See ``PairEncoder``; ``image`` and ``text`` are names of encoders of that kind."""
    return PairEncoder(
        {"image": registry.build(image, input["image"]), "text": registry.build(text, input["text"])}, dim
    )


SIZES: dict[str, dict[str, Any]] = {
    "s": {"image": "convnet-s", "text": "transformer-nano", "dim": 128},
    "m": {"image": "resnet18", "text": "transformer-micro", "dim": 256},
    "l": {"image": "resnet50", "text": "transformer-small", "dim": 512},
}
BUILDERS = {f"pair-{size}": Builder(partial(pair, **parts), ("image_text",)) for size, parts in SIZES.items()}
