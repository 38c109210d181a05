"""Encoders of audio: convolutions on the spectrogram or the waveform, and transformers on square patches."""

from functools import partial

from anyview.data.audio.logmel import LogMel
from anyview.encoders.families import Builder, Input
from anyview.encoders.families.transformer import SIZES
from anyview.encoders.packed import PackedConv, PackedConvNet
from anyview.encoders.token_encoder import TokenEncoder
from anyview.encoders.tokenizers.audio import SpectrogramTokenizer


def melconv(input: Input, *, width: int = 16, pool: str = "statistics") -> PackedConvNet:
    """Five 3 x 3 convolutions on the log-mel spectrogram, ``width`` to ``4 width`` channels, of which three
    halve time and bands, and one that reads all bands that are left; ``dim = 16 width`` (8 with ``mean`` pool)."""
    front = LogMel(input["rate"], input["mels"], input["mean"], input["std"])
    widths, strides = (1, width, 2 * width, 2 * width, 4 * width, 4 * width), (2, 1, 2, 1, 2)
    layers = [PackedConv(a, b, (3, 3), (s, s)) for a, b, s in zip(widths, widths[1:], strides)]
    bands = -(-input["mels"] // 8)
    layers.append(PackedConv(4 * width, 8 * width, (3, bands), (1, 1), fold=True))
    return PackedConvNet(front, layers, pool)


def conv1d(input: Input, *, width: int = 32, pool: str = "statistics") -> PackedConvNet:
    """The five strided convolutions of wav2vec (arXiv:1904.05862, section 3.1) on the waveform, then two of
    stride 2: a step every 640 samples; ``width`` to ``4 width`` channels, ``dim = 8 width`` (4 with ``mean`` pool)."""
    kernels, strides = (10, 8, 4, 4, 4, 3, 3), (5, 4, 2, 2, 2, 2, 2)
    widths = [1, width, 2 * width, 2 * width, *[4 * width] * 4]
    return PackedConvNet(
        None,
        [
            PackedConv(a, b, (kernel, 1), (stride, 1))
            for a, b, kernel, stride in zip(widths, widths[1:], kernels, strides)
        ],
        pool,
    )


def ast(
    input: Input,
    *,
    dim: int,
    depth: int,
    heads: int,
    patch: int = 8,
    mlp_ratio: float = 4.0,
    mixer: str = "attention",
    positions: str = "sincos",
    registers: int = 0,
    pool: str = "mean",
    drop_path: float = 0.0,
    dropout: float = 0.0,
) -> TokenEncoder:
    """A ``TokenEncoder`` on square patches of the log-mel spectrogram (AST, arXiv:2104.01778)."""
    return TokenEncoder(
        SpectrogramTokenizer(input, dim, patch, square=True),
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
    "melconv-s": Builder(melconv, ("audio",)),
    "melconv-m": Builder(partial(melconv, width=48), ("audio",)),
    "conv1d-s": Builder(conv1d, ("audio",)),
    "conv1d-m": Builder(partial(conv1d, width=128), ("audio",)),
    **{f"ast-{size}": Builder(partial(ast, **shape), ("audio",)) for size, shape in SIZES.items()},
}
