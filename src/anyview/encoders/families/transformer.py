"""Transformers over the tokens of any modality, in sizes."""

from functools import partial
from typing import Any

from anyview.encoders.families import Builder, Input
from anyview.encoders.token_encoder import TokenEncoder
from anyview.encoders.tokenizers import tokenizer

SIZES: dict[str, dict[str, Any]] = {
    "nano": {"dim": 96, "depth": 4, "heads": 3},
    "micro": {"dim": 128, "depth": 6, "heads": 4},
    "tiny": {"dim": 192, "depth": 12, "heads": 3},
    "small": {"dim": 384, "depth": 12, "heads": 6},
    "base": {"dim": 768, "depth": 12, "heads": 12},
}


def transformer(
    input: Input,
    *,
    dim: int,
    depth: int,
    heads: int,
    patch: int | None = None,
    mlp_ratio: float = 4.0,
    mixer: str = "attention",
    positions: str = "sincos",
    registers: int = 0,
    pool: str = "mean",
    drop_path: float = 0.0,
    dropout: float = 0.0,
) -> TokenEncoder:
    """A ``TokenEncoder`` on the modality's tokens; ``patch``, where it has one, follows the sample."""
    return TokenEncoder(
        tokenizer(input, dim, patch),
        depth=depth,
        heads=heads,
        mlp_ratio=mlp_ratio,
        mixer=mixer,
        positions=positions,
        registers=registers,
        pool=pool,
        drop_path=drop_path,
        dropout=dropout,
    )


BUILDERS = {
    f"transformer-{size}": Builder(partial(transformer, **shape), ("any",)) for size, shape in SIZES.items()
}
