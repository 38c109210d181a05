"""What convolutional encoders share: feature maps as Tokens, and masks that hide pixels."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.encoders.base import Encoder, Targets, Tokens, unused
from anyview.encoders.positions import grid
from anyview.errors import InputError

Images = Float[Tensor, "batch channels height width"]
Maps = Float[Tensor, "batch channels *extent"]  #: of images, or of volumes and clips


class MapEncoder(Encoder):
    """An encoder whose layers are feature maps; ``forward`` is the mean over the last one.

    A subclass gives ``maps(x, layers)``, ``dim``, ``depth`` and ``stride`` (pixels a cell of the last map, along
    all axes or along each).
    """

    stride: int | tuple[int, ...]

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mask_pixel = nn.Parameter(torch.zeros(channels))

    def maps(self, x: Maps, layers: list[int] | None = None) -> list[Tensor]:
        """The last feature map ``(batch, channels, rows, columns)``, or those of ``layers``."""
        raise NotImplementedError

    def forward(self, x: Maps) -> Float[Tensor, "batch dim"]:
        return self.maps(x)[0].mean(tuple(range(2, x.ndim))) + unused(self.mask_pixel)

    def layout(self, x: Maps) -> tuple[Float[Tensor, "batch tokens axes"], Bool[Tensor, "batch tokens"]]:
        """``(row, column)`` of every cell of the last feature map; all are valid."""
        return _layout(len(x), self._cells(x), x.device)

    def tokens(
        self,
        x: Maps,
        mask: Bool[Tensor, "batch tokens"] | None = None,
        masked: Literal["drop", "replace"] = "drop",
        layers: list[int] | None = None,
    ) -> Tokens | list[Tokens]:
        """Cells of the last feature map, or of each stage in ``layers``, with coordinates on its own grid.

        A mask is over the last map. It is put on the pixels of the hidden cells, as in SimMIM
        (arXiv:2111.09886): a learned pixel takes their place before the network sees them.

        Raises:
            InputError: for ``masked="drop"``; a convolution needs every cell of its grid.
        """
        if layers is not None:
            self.check_layers(layers)
        if mask is not None:
            if masked == "drop":
                raise InputError(
                    "a convolutional encoder cannot drop masked tokens; take one that can (vit-nano, "
                    'vit-tiny, vit-small, ...), or masked="replace"'
                )
            x = self._hide(x, mask)
        zero = unused(self.mask_pixel)
        outputs = [
            Tokens(y.flatten(2).transpose(1, 2) + zero, *_layout(len(y), tuple(y.shape[2:]), y.device))
            for y in self.maps(x, layers)
        ]
        return outputs[0] if layers is None else outputs

    @property
    def target_size(self) -> int:
        """Values of the input under a cell of the last map, all channels."""
        strides = (self.stride,) * 2 if isinstance(self.stride, int) else self.stride
        return math.prod(strides) * len(self.mask_pixel)

    def targets(self, x: Maps) -> Targets:
        """The pixels under every cell of the last map; ones beyond the border are zero, the mean."""
        cells, axes = self._cells(x), x.ndim - 2
        strides = (self.stride,) * axes if isinstance(self.stride, int) else self.stride
        fill = [(0, count * step - size) for count, step, size in zip(cells, strides, x.shape[2:])]
        x = F.pad(x, [n for pair in reversed(fill) for n in pair])
        x = x.reshape(*x.shape[:2], *[n for pair in zip(cells, strides) for n in pair])
        x = x.permute(0, *range(2, x.ndim, 2), *range(3, x.ndim, 2), 1)
        return Targets(x.flatten(axes + 1).flatten(1, axes), "continuous", self.target_size)

    def _cells(self, x: Maps) -> tuple[int, ...]:
        strides = (self.stride,) * (x.ndim - 2) if isinstance(self.stride, int) else self.stride
        return tuple(-(-n // stride) for n, stride in zip(x.shape[2:], strides))

    def _hide(self, x: Maps, mask: Bool[Tensor, "batch tokens"]) -> Maps:
        cells = mask.view(len(x), 1, *self._cells(x)).float()
        hidden = F.interpolate(cells, size=x.shape[2:], mode="nearest").bool()
        pixel = self.mask_pixel.to(x.dtype).view(-1, *[1] * (x.ndim - 2))
        return torch.where(hidden, pixel, x)


def _layout(batch: int, cells: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    coords = grid(cells, device)
    return coords.expand(batch, -1, -1), torch.ones(batch, len(coords), dtype=torch.bool, device=device)


def run_stages(stages: nn.ModuleList, x: Tensor, layers: list[int] | None) -> list[Tensor]:
    """Runs stages one after the other and returns the last output, or those of ``layers``, as asked."""
    outputs = []
    for stage in list(stages)[: None if layers is None else max(layers, default=0) + 1]:
        x = stage(x)
        outputs.append(x)
    return outputs[-1:] if layers is None else [outputs[i] for i in layers]


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution that keeps ``ceil(size / stride)``, He-initialised (arXiv:1502.01852), and its norm."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return [conv, nn.BatchNorm2d(outputs)]
