"""Encoders of series: convolutional networks over time, and transformers on channels apart."""

from collections.abc import Callable
from functools import partial

from anyview.encoders.base import Encoder
from anyview.encoders.families import Builder, Input
from anyview.encoders.families.transformer import SIZES, transformer
from anyview.encoders.series_conv import TCN, ResNet1d
from anyview.encoders.token_encoder import TokenEncoder
from anyview.encoders.tokenizers.series import series_input


def resnet1d(
    input: Input,
    *,
    width: int = 32,
    blocks: int = 1,
    kernel: int = 5,
    stem: int | None = None,
    pool: str = "mean",
) -> ResNet1d:
    """See ``ResNet1d``; the stem halves series of more than 64 steps unless given."""
    channels, length = series_input(input)
    return ResNet1d(channels, width, blocks, kernel, stem or (2 if length > 64 else 1), pool)


def tcn(
    input: Input, *, width: int = 64, dim: int = 128, depth: int = 7, kernel: int = 3, pool: str = "max"
) -> TCN:
    """See ``TCN``."""
    return TCN(series_input(input)[0], width, dim, depth, kernel, pool)


def patchtst(
    input: Input,
    *,
    dim: int,
    depth: int,
    heads: int,
    patch: int | None = None,
    mlp_ratio: float = 4.0,
    registers: int = 0,
    drop_path: float = 0.0,
    dropout: float = 0.0,
) -> TokenEncoder:
    """A transformer whose tokens are patches of one channel each, see ``SeriesTokenizer``."""
    return transformer(
        {**input, "mixed": False},
        dim=dim,
        depth=depth,
        heads=heads,
        patch=patch,
        mlp_ratio=mlp_ratio,
        registers=registers,
        drop_path=drop_path,
        dropout=dropout,
    )


NETWORKS: dict[str, Callable[..., Encoder]] = {
    "resnet1d-s": resnet1d,
    "resnet1d-m": partial(resnet1d, width=64, blocks=2),
    "tcn-s": tcn,
    "tcn-m": partial(tcn, width=128, dim=320, depth=10),
    **{f"patchtst-{size}": partial(patchtst, **SIZES[size]) for size in ("nano", "micro", "tiny", "small")},
}

BUILDERS = {name: Builder(build, ("series",)) for name, build in NETWORKS.items()}
