"""Encoders of text besides the transformers: a bag of tokens, and transformers' models from a local folder."""

from functools import partial
from typing import Any

from anyview.encoders.bag import BagEncoder
from anyview.encoders.families import Builder, Input
from anyview.encoders.tokenizers.text import TextTokenizer, text_input
from anyview.encoders.transformers_adapter import (
    TransformersEncoder,
    read_architecture,
    read_sentence_modules,
)


def bag(input: Input, *, dim: int) -> BagEncoder:
    """See ``BagEncoder``."""
    return BagEncoder(TextTokenizer(*text_input(input), dim))


def transformers(
    input: Input,
    *,
    model: str,
    architecture: dict | None = None,
    weights: str | None = None,
    pool: str | None = None,
    normalise: bool = False,
) -> TransformersEncoder:
    """See ``TransformersEncoder``; ``model`` is the folder that architecture and weights are taken from, and how it
    pools where sentence-transformers saved it, unless an encoder that was saved brings its own."""
    said: dict[str, Any] = {"pool": "mean", "normalise": False}
    if architecture is None:
        architecture, weights = read_architecture(model), model
        said |= read_sentence_modules(model)
    said = {"pool": pool or said["pool"], "normalise": normalise or said["normalise"]}
    encoder = TransformersEncoder(architecture, weights, input, **said)
    encoder.config = {"architecture": architecture, **said, **({"weights": weights} if weights else {})}
    return encoder


BUILDERS = {
    f"bag-{size}": Builder(partial(bag, dim=dim), ("text",))
    for size, dim in {"s": 128, "m": 256, "l": 512}.items()
}
ADAPTERS = {"hf": Builder(transformers, ("text",))}
