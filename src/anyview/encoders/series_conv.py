"""Convolutional networks on series, exact when lengths differ: what lies beyond a series is zero at every layer."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.data.batch import Ragged
from anyview.encoders.base import Encoder, Tokens, unused
from anyview.encoders.lengths import length_groups
from anyview.encoders.token_encoder import mean_valid
from anyview.encoders.tokenizers.series import dense, statistics
from anyview.errors import InputError, unknown

Steps = Float[Tensor, "batch channels time"]
There = Bool[Tensor, "batch time"]
POOLS = ("mean", "max")


class Conv(nn.Conv1d):
    """A convolution that sees zeros beyond the end of every series, as it would if that were alone.

    Keeps ``ceil(length / stride)`` steps.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1, bias: bool = True
    ):
        super().__init__(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation, bias=bias)
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: Steps, there: There | None = None) -> Tensor:
        return super().forward(x if there is None else x * there[:, None])


class ValidGroupNorm(nn.GroupNorm):
    """Group norm (arXiv:1803.08494) over the steps that are there."""

    def forward(self, x: Steps, there: There | None = None) -> Steps:
        if there is None:
            return super().forward(x)
        groups = x.unflatten(1, (self.num_groups, -1))
        mask = there[:, None, None].to(x.dtype)
        count = (mask.sum(-1, keepdim=True) * groups.shape[2]).clamp_min(1)
        mean = (groups * mask).sum((2, 3), keepdim=True) / count
        variance = ((groups - mean).square() * mask).sum((2, 3), keepdim=True) / count
        normed = ((groups - mean) * (variance + self.eps).rsqrt()).flatten(1, 2)
        return normed * self.weight[:, None] + self.bias[:, None]


def strided(there: There | None, stride: int) -> Bool[Tensor, "batch cells"] | None:
    """Which steps are there after a convolution of this stride."""
    return there if there is None else there[:, ::stride]


class SeriesEncoder(Encoder):
    """An encoder whose layers are maps over time; ``forward`` pools the last one over the steps that are there.

    A subclass gives ``maps``, ``dim``, ``depth`` and ``strides`` (steps a cell of each layer's map).
    """

    strides: list[int]
    #: (steps, which of them are there or None for all, layers) -> the maps ``(batch, channels, cells)`` of layers
    maps: Callable[[Tensor, Tensor | None, list[int]], list[Tensor]]

    def __init__(self, channels: int, pool: str) -> None:
        super().__init__()
        if pool not in POOLS:
            raise unknown("pool", pool, POOLS)
        self.channels, self.pool = channels, pool
        self.mask_step = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor | Ragged) -> Float[Tensor, "batch dim"]:
        last = self.tokens(x)
        assert isinstance(last, Tokens)
        if self.pool == "max":
            return last.values.masked_fill(~last.valid[..., None], -torch.inf).amax(1)
        return mean_valid(last.values, last.valid)

    def layout(
        self, x: Tensor | Ragged
    ) -> tuple[Float[Tensor, "batch tokens 1"], Bool[Tensor, "batch tokens"]]:
        """The number of every cell of the last map, and whether it is there."""
        return self._layout(dense(x)[2], self.strides[-1])

    def tokens(
        self,
        x: Tensor | Ragged,
        mask: Bool[Tensor, "batch tokens"] | None = None,
        masked: Literal["drop", "replace"] = "drop",
        layers: list[int] | None = None,
    ) -> Tokens | list[Tokens]:
        """Cells of the last map, or of each of ``layers``, with coordinates on its own grid.

        A mask is over the last map; a learned value takes the place of the steps of its hidden cells.

        Raises:
            InputError: for ``masked="drop"``; a convolution needs every step.
        """
        if layers is not None:
            self.check_layers(layers)
        if mask is not None and masked == "drop":
            raise InputError(
                "a convolutional encoder cannot drop masked tokens; take one that can (transformer-nano, "
                'transformer-micro, ...), or masked="replace"'
            )
        values, _, valid = dense(x)
        if values.shape[2] != self.channels:
            raise InputError(f"expected series of {self.channels} channels, got {values.shape[2]}")
        if mask is not None:
            hidden = mask.repeat_interleave(self.strides[-1], 1)[:, : values.shape[1], None]
            values = torch.where(hidden, self.mask_step.to(values.dtype), values)
        wanted = [self.depth] if layers is None else layers
        outputs = [
            Tokens(y.transpose(1, 2) + unused(self.mask_step), *self._layout(valid, self.strides[layer]))
            for layer, y in zip(wanted, self._grouped(values, valid, wanted))
        ]
        return outputs[0] if layers is None else outputs

    def _layout(self, valid: There, stride: int) -> tuple[Tensor, Tensor]:
        cells = valid[:, ::stride]
        place = torch.arange(cells.shape[1], dtype=torch.float32, device=valid.device)
        return place[:, None].expand(len(cells), -1, -1), cells

    def _grouped(self, values: Tensor, valid: There, layers: list[int]) -> list[Tensor]:
        """Maps of series in groups of similar length, so that little of the work is padding."""
        if bool(valid.all()):
            return self.maps(values.transpose(1, 2), None, layers)
        groups = length_groups(valid)
        parts = [self.maps(values[r, :n].transpose(1, 2), valid[r, :n], layers) for r, n in groups]
        back = torch.cat([rows for rows, _ in groups]).argsort()
        out = []
        for i, layer in enumerate(layers):
            cells = -(-valid.shape[1] // self.strides[layer])
            padded = [F.pad(part[i], (0, cells - part[i].shape[2])) for part in parts]
            out.append(torch.cat(padded)[back])
        return out


class ResBlock(nn.Module):
    """Two convolutions and a shortcut, with group norms (He et al. 2015; on series: arXiv:1611.06455)."""

    def __init__(self, inputs: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = Conv(inputs, width, kernel, stride, bias=False)
        self.norm1 = ValidGroupNorm(8, width)
        self.conv2 = Conv(width, width, kernel, bias=False)
        self.norm2 = ValidGroupNorm(8, width)
        self.shortcut = (
            None if stride == 1 and inputs == width else Conv(inputs, width, 1, stride, bias=False)
        )

    def forward(self, steps: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
        x, there = steps
        after = strided(there, self.stride)
        y = F.relu(self.norm1(self.conv1(x, there), after))
        y = self.norm2(self.conv2(y, after), after)
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x, there))), after


class ResNet1d(SeriesEncoder):
    """A residual network over time: a stem and three stages, of which the last two halve the map.

    Group norms take amplitude and level away, so a linear layer of both, of each channel, is added to the last
    map. Layers: 0 the stem, 1 to 3 the stages.

    Args:
        channels: channels of a series.
        width: channels of the first stage; the others have 2 and 4 times as many, and ``dim = 4 width``.
        blocks: residual blocks of a stage.
        kernel: steps a convolution sees.
        stem: steps between the cells of the stem's map, 1 for short series.
        pool: ``mean`` or ``max`` over time.
    """

    depth = 3

    def __init__(
        self,
        channels: int,
        width: int = 32,
        blocks: int = 1,
        kernel: int = 5,
        stem: int = 2,
        pool: str = "mean",
    ) -> None:
        super().__init__(channels, pool)
        if width % 8:
            raise InputError(f"width {width} cannot be; take a multiple of 8")
        self.dim, self.strides = 4 * width, [stem, stem, 2 * stem, 4 * stem]
        self.stem, self.norm = Conv(channels, width, 7, stem, bias=False), ValidGroupNorm(8, width)
        self.level = nn.Linear(2 * channels, self.dim)
        stages, inputs = [], width
        for i, wide in enumerate((width, 2 * width, 4 * width)):
            strides = [1 if i == 0 else 2] + [1] * (blocks - 1)
            widths = [inputs, *[wide] * blocks]
            stages.append(nn.Sequential(*(ResBlock(a, wide, kernel, s) for a, s in zip(widths, strides))))
            inputs = wide
        self.stages = nn.ModuleList(stages)

    def maps(self, x: Steps, there: There | None, layers: list[int]) -> list[Tensor]:
        seen = x.new_ones(len(x), x.shape[2], dtype=torch.bool) if there is None else there
        mean, std = statistics(x.transpose(1, 2), seen)
        y, there = self.stem(x, there), strided(there, self.strides[0])
        y = F.relu(self.norm(y, there))
        outputs = [y]
        for stage in self.stages:
            y, there = stage((y, there))
            outputs.append(y)
        outputs[-1] = y + self.level(torch.cat([mean, std.log()], 2)).transpose(1, 2)
        return [outputs[i] for i in layers]


class TCN(SeriesEncoder):
    """Dilated convolutions with residuals, as the encoder of TS2Vec (arXiv:2106.10466, appendix C.2).

    Block ``i`` sees steps ``2^i`` apart: ``x + conv(gelu(conv(gelu(x))))``. There is no norm, so amplitude and
    level stay. Layers: 0 the input projection, 1 to ``depth`` the blocks, the last of which widens.

    Args:
        channels: channels of a series.
        width: channels of the blocks.
        dim: width of the output.
        depth: number of blocks.
        kernel: steps a convolution sees.
        pool: ``mean`` or ``max`` over time.
    """

    def __init__(
        self,
        channels: int,
        width: int = 64,
        dim: int = 128,
        depth: int = 7,
        kernel: int = 3,
        pool: str = "max",
    ) -> None:
        super().__init__(channels, pool)
        self.dim, self.depth, self.strides = dim, depth, [1] * (depth + 1)
        self.project = Conv(channels, width, 1)
        widths = [width] * depth + [dim]
        self.first = nn.ModuleList(
            Conv(a, b, kernel, dilation=2**i) for i, (a, b) in enumerate(pairwise(widths))
        )
        self.second = nn.ModuleList(Conv(b, b, kernel, dilation=2**i) for i, b in enumerate(widths[1:]))
        self.shortcut = Conv(width, dim, 1) if width != dim else None
        with torch.no_grad():
            for conv in self.second:  # without norms, branches of full size would add up with depth
                next(conv.parameters()).mul_(depth**-0.5)

    def maps(self, x: Steps, there: There | None, layers: list[int]) -> list[Tensor]:
        y = self.project(x, there)
        outputs = [y]
        for i in range(max(layers, default=0)):
            branch = self.second[i](F.gelu(self.first[i](F.gelu(y), there)), there)
            last = i == self.depth - 1 and self.shortcut is not None
            y = (self.shortcut(y, there) if last else y) + branch  # type: ignore[misc]
            outputs.append(y)
        return [outputs[i] for i in layers]
