"""Three axes cut into boxes: what the tokenizers of volumes and of videos have in common."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.encoders.base import Targets, Tokenizer, Tokens
from anyview.encoders.positions import grid
from anyview.errors import InputError

Shape = tuple[int, int, int, int]
Boxes = Float[Tensor, "batch channels depth height width"]


def shape_of(shape: list[int], what: str) -> Shape:
    """``shape`` when it is ``(channels, depth, height, width)``; InputError when it is not."""
    if len(shape) != 4 or any(not isinstance(n, int) or n < 1 for n in shape):
        raise InputError(f"{what}, not {tuple(shape)}")
    return shape[0], shape[1], shape[2], shape[3]


def cut(x: Boxes, box: tuple[int, int, int]) -> Float[Tensor, "batch tokens size"]:
    """Boxes with the last axis running fastest, each flattened as ``(depth, row, column, channel)``.

    A side that is no multiple of the box's is filled up with zeros at its end; zero is the mean after
    normalisation.
    """
    batch, channels = x.shape[:2]
    spare = [-n % k for n, k in zip(x.shape[2:], box)]
    if any(spare):
        x = F.pad(x, (0, spare[2], 0, spare[1], 0, spare[0]))
    (d, h, w), (a, b, c) = (n // k for n, k in zip(x.shape[2:], box)), box
    parts = x.reshape(batch, channels, d, a, h, b, w, c).permute(0, 2, 4, 6, 3, 5, 7, 1)
    return parts.reshape(batch, d * h * w, a * b * c * channels)


class BoxTokenizer(Tokenizer):
    """Boxes through one linear layer, as patches of images are (ViViT's tubelets, arXiv:2103.15691, section 3.2).

    Args:
        shape: ``(channels, depth, height, width)`` of a sample; other extents work too (small crops).
        box: extent of a token along the three axes.
        dim: width of a token.
    """

    axes = 3

    def __init__(self, shape: Shape, box: tuple[int, int, int], dim: int) -> None:
        super().__init__()
        if min(box) < 1:
            raise InputError(f"patch {min(box)} cannot be; take 1 or more")
        self.shape, self.box, self.dim = shape, box, dim
        self.grid = self._cells(shape[1:])
        self.target_size = box[0] * box[1] * box[2] * shape[0]
        self.linear = nn.Linear(self.target_size, dim)
        nn.init.xavier_uniform_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def _cells(self, extent: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(-(-n // k) for n, k in zip(extent, self.box))

    def layout(self, x: Boxes) -> tuple[Float[Tensor, "batch tokens 3"], Bool[Tensor, "batch tokens"]]:
        """Place of every box along the three axes; all are valid."""
        coords = grid(self._cells(tuple(x.shape[2:])), x.device)
        valid = torch.ones(len(x), len(coords), dtype=torch.bool, device=x.device)
        return coords.expand(len(x), -1, -1), valid

    def embed(self, x: Boxes) -> Tokens:
        return Tokens(self.linear(cut(x, self.box)), *self.layout(x))

    def targets(self, x: Boxes) -> Targets:
        """What every box holds, ``(batch, tokens, size)``, as it is in ``x``."""
        return Targets(cut(x, self.box), self.target_kind, self.target_size)

    def uncut(self, boxes: Float[Tensor, "batch tokens size"]) -> Boxes:
        """Samples of ``shape`` from boxes: undoes ``targets``."""
        (channels, *extent), (a, b, c) = self.shape, self.box
        parts = boxes.view(len(boxes), *self.grid, a, b, c, channels).permute(0, 7, 1, 4, 2, 5, 3, 6)
        x = parts.reshape(len(boxes), channels, *(n * k for n, k in zip(self.grid, self.box)))
        return x[:, :, : extent[0], : extent[1], : extent[2]]
