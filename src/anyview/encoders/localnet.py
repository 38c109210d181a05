"""A convolutional network without padding, whose cells see parts of the image, and one vector of the whole."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.encoders.base import Encoder, Targets, unused
from anyview.encoders.feature_map import Images, MapEncoder, run_stages
from anyview.errors import InputError

LEAST = 5  #: cells a side of the fine map, where the image has as many


class LocalNet(MapEncoder):
    """The encoder of AMDIM (Bachman et al. 2019, arXiv:1906.00910, section 3): nothing is padded and no norm couples
    places, so a cell depends on its own part of the image alone.

    A 3x3 convolution, then stages that halve the map until about 7 cells a side are left (the *fine* map; for 32
    pixels 7 x 7 cells that see 8 x 8 pixels), then a stage of 3x3 kernels (the *coarse* map: 5 x 5 cells that see 16 x
    16). The cells of the coarse map are the encoder's tokens. Two more stages make of it the vector of the whole
    image, with batch norm at its end, the network's only one.

    Layers: 0 the first convolution, then a stage each; the coarse map is the last, the fine one before it. All are
    as wide as the vector from the fine map on.

    Args:
        channels: channels of the images.
        side: height and width of the images it is made for, in pixels. Others can be read: where two more stages
            leave more than one cell, the vector is their mean.
        width: channels of the first convolution; ``dim = 4 width``.
        blocks: convolutions of a stage: the first changes the size of the map, further ones are 1x1.
    """

    field: int  #: height and width of what a cell of the last map sees, in pixels
    stride: int

    def __init__(self, channels: int = 3, side: int = 32, width: int = 24, blocks: int = 1) -> None:
        super().__init__(channels)
        if side < 4:
            raise InputError(f"localnet pads nothing and needs images of 4 pixels or more a side, not {side}")
        self.dim = 4 * width
        kernels = halvings(side - 2)
        self.stages = nn.ModuleList([nn.Sequential(nn.Conv2d(channels, width, 3), nn.ReLU())])
        inputs, size = width, side - 2
        self.field, self.stride = 3, 1
        for i, kernel in enumerate(kernels):
            outputs = self.dim if i == len(kernels) - 1 else min(inputs * 2, self.dim)
            self.stages.append(stage(inputs, outputs, kernel, 2, blocks))
            inputs, size = outputs, (size - kernel) // 2 + 1
            self.field, self.stride = self.field + (kernel - 1) * self.stride, 2 * self.stride
        kernels = [min(3, max(1, size - 2 * i)) for i in range(3)]
        coarse, *whole = (stage(self.dim, self.dim, kernel, 1, blocks) for kernel in kernels)
        self.stages.append(coarse)
        self.field += (kernels[0] - 1) * self.stride
        self.whole, self.norm = nn.Sequential(*whole), nn.BatchNorm1d(self.dim)
        self.depth = len(self.stages) - 1
        units = [m for m in self.modules() if isinstance(m, Local)]
        for unit in units:  # what is added up does not grow with their number
            nn.init.kaiming_normal_(unit.out.weight, nonlinearity="linear")
            unit.out.weight.data.mul_(len(units) ** -0.5)

    def maps(self, x: Images, layers: list[int] | None = None) -> list[Tensor]:
        zero = unused(*self.whole.parameters(), *self.norm.parameters())
        return [y + zero for y in run_stages(self.stages, x, layers)]

    def parts(
        self, x: Images
    ) -> tuple[
        Float[Tensor, "batch dim"],
        Float[Tensor, "batch dim rows columns"],
        Float[Tensor, "batch dim rows2 columns2"],
    ]:
        """The vector, the fine map and the coarse map of one pass."""
        fine, coarse = self.maps(x, [self.depth - 1, self.depth])
        vector = self.norm(self.whole(coarse).mean((2, 3)))
        return vector + unused(self.mask_pixel), fine, coarse

    def forward(self, x: Images) -> Float[Tensor, "batch dim"]:
        return self.parts(x)[0]

    def targets(self, x: Images) -> Targets:
        """The pixels in the middle of what each cell sees, which no other cell has in its middle."""
        (top, rows), (left, columns) = self._middles(x)
        s = self.stride
        inner = x[..., top : top + rows * s, left : left + columns * s]
        patches = inner.unflatten(3, (columns, s)).unflatten(2, (rows, s)).permute(0, 2, 4, 3, 5, 1)
        return Targets(patches.flatten(3).flatten(1, 2), "continuous", self.target_size)

    def _cells(self, x: Images) -> tuple[int, ...]:
        return tuple((n - self.field) // self.stride + 1 for n in x.shape[2:])

    def _middles(self, x: Images) -> list[tuple[int, int]]:
        """Along each axis, where the middle of the first cell starts, in pixels, and the number of cells."""
        return [((self.field - self.stride) // 2, count) for count in self._cells(x)]

    def _hide(self, x: Images, mask: Bool[Tensor, "batch tokens"]) -> Images:
        """The middles of hidden cells; at the border, all that is nearest to them."""
        (top, rows), (left, columns) = self._middles(x)
        hidden = F.interpolate(mask.view(len(x), 1, rows, columns).float(), scale_factor=self.stride)
        below, right = (n - start - h for n, start, h in zip(x.shape[2:], (top, left), hidden.shape[2:]))
        hidden = F.pad(hidden, (left, right, top, below), mode="replicate").bool()
        return torch.where(hidden, self.mask_pixel.to(x.dtype)[:, None, None], x)


class Local(nn.Module):
    """A convolution without padding, ReLU and a 1x1 convolution, added to the mean over the same pixels; channels
    that the input has not count as zero there."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride, self.more = kernel, stride, outputs - inputs
        self.into = nn.Conv2d(inputs, outputs, kernel, stride)
        self.out = nn.Conv2d(outputs, outputs, 1, bias=False)
        nn.init.kaiming_normal_(self.into.weight, nonlinearity="relu")

    def forward(
        self, x: Float[Tensor, "batch inputs rows columns"]
    ) -> Float[Tensor, "batch outputs new_rows new_columns"]:
        kept = F.avg_pool2d(x, self.kernel, self.stride) if self.kernel > 1 else x
        return self.out(self.into(x).relu()) + F.pad(kept, (0, 0, 0, 0, 0, self.more))


def stage(inputs: int, outputs: int, kernel: int, stride: int, blocks: int) -> nn.Sequential:
    """A convolution that changes the size of the map, and 1x1 ones that do not."""
    first = Local(inputs, outputs, kernel, stride)
    return nn.Sequential(first, *(Local(outputs, outputs, 1) for _ in range(blocks - 1)))


def halvings(size: int) -> list[int]:
    """Kernels of the stages that halve a map of ``size`` cells: 4, and 2 for the last; as many stages as leave
    ``LEAST`` cells or more, one at least."""
    before: list[int] = []
    while True:
        smaller = (size - 4) // 2 + 1
        if smaller // 2 < LEAST:
            return [*before, 2]
        before, size = [*before, 4], smaller


def that_sees_parts(encoder: Encoder, system: str) -> LocalNet:
    """``encoder``, for a system that compares the whole with parts that must not know of it.

    Raises:
        InputError: for any encoder but a ``LocalNet``.
    """
    if not isinstance(encoder, LocalNet):
        raise InputError(
            f"{system} compares parts of an image, and every part of {encoder.config['name']} sees beyond itself; "
            "try --encoder localnet-s"
        )
    return encoder
