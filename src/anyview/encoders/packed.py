"""Convolutions over ragged samples packed end to end: exact, and hardly anything computed is padding.

Samples lie behind one another on one long time axis with gaps of zeros between them that are wider than a
kernel, so each sees zeros around it as it would alone. Norms see real steps only.
"""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.data.audio.logmel import LogMel, mean_over, places, statistics
from anyview.data.batch import Payload, Ragged
from anyview.encoders.base import Encoder, Tokens, unused
from anyview.errors import InputError, unknown
from anyview.views.audio import heard, hide

POOLS = ("mean", "statistics")


class PackedConv(nn.Module):
    """Convolution over time and bands, batch norm and ReLU, of ``(steps, bands, channels)``.

    Time keeps ``ceil(length / stride)`` steps.

    Args:
        inputs, outputs: channels.
        kernel, stride: along time and along the bands.
        fold: no padding of the bands; a kernel as high as they are leaves one.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        fold: bool = False,
    ) -> None:
        super().__init__()
        self.kernel, self.stride = kernel[0], stride[0]
        padding = ((kernel[0] - 1) // 2, 0 if fold else kernel[1] // 2)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")
        self.conv.to(
            memory_format=torch.channels_last
        )  # as the values lie: else every layer turns them round
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Ragged) -> Ragged:
        steps = self.shorter(x.length)
        gap = -(-(self.kernel - 1) // self.stride)  # in steps of the output
        start = (steps + gap).cumsum(0) - (steps + gap)
        sample, step = places(x.length)
        line = x.values.new_zeros(int((steps + gap).sum()) * self.stride, *x.values.shape[1:])
        line = line.index_copy(0, (start * self.stride)[sample] + step, x.values)
        # channels lie innermost already, as channels-last convolutions want them
        y = self.conv(line.permute(2, 0, 1)[None])[0].permute(1, 2, 0)
        sample, step = places(steps)
        y = y.index_select(0, start[sample] + step)
        return Ragged(self.norm(y.flatten(0, 1)).relu().view(y.shape), steps)

    def shorter(self, length: Tensor) -> Tensor:
        """Steps that come of ``length`` steps."""
        return torch.div(length + self.stride - 1, self.stride, rounding_mode="floor")


class PackedConvNet(Encoder):
    """Convolutions over ragged samples; ``forward`` pools the last layer over time.

    Args:
        front: ``LogMel`` for a network on the spectrogram; None for one on the waveform, each brought to mean 0
            and deviation 1 by itself (wav2vec 2.0, arXiv:2006.11477, section 2).
        layers: from one channel to ``dim``, or half of it; the last leaves one band.
        pool: ``mean`` over time, or ``statistics``: mean and deviation (Snyder et al. 2018, x-vectors), since how
            much a sound changes says as much as what it is on average.
    """

    def __init__(self, front: LogMel | None, layers: list[PackedConv], pool: str = "statistics") -> None:
        super().__init__()
        if pool not in POOLS:
            raise unknown("pool", pool, POOLS)
        self.pool = pool
        self.front = front
        self.layers = nn.ModuleList(layers)
        self.mask_value = nn.Parameter(torch.zeros(()))
        self.depth = len(layers) - 1
        self.stride = math.prod(layer.stride for layer in layers)  # steps of the input to one of the last
        self.dim = layers[-1].conv.out_channels * (2 if pool == "statistics" else 1)

    def forward(self, x: Payload) -> Float[Tensor, "batch dim"]:
        (last,) = self._run(self._read(x))
        steps = Ragged(last.values[:, 0], last.length)
        vector = mean_over(steps) if self.pool == "mean" else statistics(steps, eps=1e-5)
        return vector + unused(self.mask_value)

    def layout(self, x: Payload) -> tuple[Float[Tensor, "batch tokens 1"], Bool[Tensor, "batch tokens"]]:
        """The place of every step of the last layer."""
        wave, _, _ = heard(x)
        length = wave.length if self.front is None else self.front.frames(wave.length)
        for layer in self.layers:
            assert isinstance(layer, PackedConv)
            length = layer.shorter(length)
        return _layout(length)

    def tokens(
        self,
        x: Payload,
        mask: Bool[Tensor, "batch tokens"] | None = None,
        masked: Literal["drop", "replace"] = "drop",
        layers: list[int] | None = None,
    ) -> Tokens | list[Tokens]:
        """Steps of the last layer, or of each in ``layers`` (0 is the first) as means over its bands.

        A mask is over the last layer's steps; a learned value takes the place of what lies under them before
        the network sees it.

        Raises:
            InputError: for ``masked="drop"``; a convolution needs every step.
        """
        if layers is not None:
            self.check_layers(layers)
        read = self._read(x)
        if mask is not None:
            if masked == "drop":
                raise InputError(
                    "a convolutional encoder cannot drop masked tokens; take one that can "
                    '(transformer-nano, ast-nano, ...), or masked="replace"'
                )
            sample, step = places(read.length)
            hidden = mask[sample, torch.div(step, self.stride, rounding_mode="floor")]
            values = torch.where(hidden[:, None, None], self.mask_value.to(read.values.dtype), read.values)
            read = Ragged(values, read.length)
        zero = unused(self.mask_value)
        outputs = [
            Tokens(Ragged(y.values.mean(1) + zero, y.length).padded()[0], *_layout(y.length))
            for y in self._run(read, layers)
        ]
        return outputs[0] if layers is None else outputs

    def _read(self, x: Payload) -> Ragged:
        """``(steps, bands, 1)``: the spectrogram, or the waveform with a single band."""
        wave, time, mel = heard(x)
        if self.front is not None:
            frames = hide(self.front(wave), time, mel)
            return Ragged(frames.values[..., None], frames.length)
        sample, _ = places(wave.length)
        values = wave.values[:, None]
        centred = values - mean_over(Ragged(values, wave.length))[sample]
        std = mean_over(Ragged(centred.square(), wave.length)).add(1e-7).sqrt()[sample]
        return hide(Ragged((centred / std)[..., None], wave.length), time)

    def _run(self, x: Ragged, layers: list[int] | None = None) -> list[Ragged]:
        outputs = []
        for layer in list(self.layers)[: None if layers is None else max(layers, default=0) + 1]:
            x = layer(x)
            outputs.append(x)
        return outputs[-1:] if layers is None else [outputs[i] for i in layers]


def _layout(length: Tensor) -> tuple[Tensor, Tensor]:
    step = torch.arange(int(length.max()) if len(length) else 0, device=length.device)
    coords = step.to(torch.float32)[:, None].expand(len(length), -1, -1)
    return coords, step < length[:, None]
