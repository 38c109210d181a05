"""Residual networks over three axes: 3-d for volumes, (2+1)-d for clips."""

import torch
from torch import Tensor, nn

from anyview.encoders.boxes import Boxes
from anyview.encoders.feature_map import MapEncoder, run_stages
from anyview.errors import InputError

Strides = tuple[int, int, int]


class Conv3d(nn.Conv3d):
    """A convolution over three axes that never runs in bf16 on a processor where a side is below 3: there the
    gradient of its weights is uninitialised memory when it overlaps the padding (torch 2.15, oneDNN)."""

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type == "cpu" and min(input.shape[2:]) < 3:
            with torch.autocast("cpu", enabled=False):
                return super().forward(input.to(self.weight.dtype))
        return super().forward(input)


def conv3d_bn(
    inputs: int, outputs: int, kernel: tuple[int, int, int], stride: Strides = (1, 1, 1)
) -> list[nn.Module]:
    """A convolution that keeps ``ceil(size / stride)``, He-initialised (arXiv:1502.01852), and its norm."""
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    conv = Conv3d(inputs, outputs, kernel, stride, padding, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return [conv, nn.BatchNorm3d(outputs)]


def full(inputs: int, outputs: int, stride: Strides = (1, 1, 1)) -> list[nn.Module]:
    """3 x 3 x 3."""
    return conv3d_bn(inputs, outputs, (3, 3, 3), stride)


def factorised(inputs: int, outputs: int, stride: Strides = (1, 1, 1)) -> list[nn.Module]:
    """1 x 3 x 3 over space, then 3 x 1 x 1 over time, with as many parameters as 3 x 3 x 3 has: the width between
    is ``t d² N M / (d² N + t M)`` (R(2+1)D, arXiv:1711.11248, section 3.5)."""
    between = max(1, 27 * inputs * outputs // (9 * inputs + 3 * outputs))
    return [
        *conv3d_bn(inputs, between, (1, 3, 3), (1, *stride[1:])),
        nn.ReLU(inplace=True),
        *conv3d_bn(between, outputs, (3, 1, 1), (stride[0], 1, 1)),
    ]


KINDS = {"full": full, "factorised": factorised}


class Residual3d(nn.Module):
    """``relu(shortcut(x) + branch(x))`` with two convolutions in the branch."""

    def __init__(self, kind: str, inputs: int, outputs: int, stride: Strides, zero_init: bool) -> None:
        super().__init__()
        conv = KINDS[kind]
        layers = [*conv(inputs, outputs, stride), nn.ReLU(inplace=True), *conv(outputs, outputs)]
        last = layers[-1]
        if zero_init and isinstance(last, nn.BatchNorm3d):
            nn.init.zeros_(last.weight)  # every block starts as identity (arXiv:1706.02677, section 5.1)
        self.branch = nn.Sequential(*layers)
        same = inputs == outputs and max(stride) == 1
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(*conv3d_bn(inputs, outputs, (1, 1, 1), stride))
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.branch(x).add_(self.shortcut(x)))


class ResNet3d(MapEncoder):
    """A stem and three stages of residual blocks; stages 2 and 3 halve every axis. Layers: 0 the stem, 1 to 3
    the stages.

    Args:
        channels: channels of a sample.
        kind: ``full`` convolutions of 3 x 3 x 3, or ``factorised`` ones.
        width: channels of the first stage; the others have 2 and 4 times as many, and ``dim = 4 width``.
        blocks: residual blocks a stage.
        stem: stride of the first convolution along each axis.
        zero_init: start the last batch norm of every block at 0.
    """

    depth = 3

    def __init__(
        self, channels: int, kind: str, width: int, blocks: int, stem: Strides, zero_init: bool = True
    ) -> None:
        super().__init__(channels)
        if min(stem) < 1:
            raise InputError(f"a stem cannot have strides {stem}")
        stages = [nn.Sequential(*KINDS[kind](channels, width, stem), nn.ReLU(inplace=True))]
        inputs = width
        for i in range(3):
            stage = []
            for j in range(blocks):
                stride = (2, 2, 2) if i > 0 and j == 0 else (1, 1, 1)
                stage.append(Residual3d(kind, inputs, width * 2**i, stride, zero_init))
                inputs = width * 2**i
            stages.append(nn.Sequential(*stage))
        self.stages = nn.ModuleList(stages)
        self.dim = inputs
        self.stride = (4 * stem[0], 4 * stem[1], 4 * stem[2])

    def maps(self, x: Boxes, layers: list[int] | None = None) -> list[Tensor]:
        return run_stages(self.stages, x, layers)
