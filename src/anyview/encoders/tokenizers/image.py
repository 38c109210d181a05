"""Images as square patches."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.encoders.base import Targets, Tokenizer, Tokens
from anyview.encoders.positions import grid
from anyview.errors import InputError


def image_shape(input: dict[str, Any]) -> tuple[int, int, int]:
    """``(channels, height, width)`` of the images that ``input`` describes; InputError when it is none."""
    shape = input.get("shape", ())
    if len(shape) != 3 or any(not isinstance(n, int) or n < 1 for n in shape):
        raise InputError(f"images have a shape (channels, height, width), not {tuple(shape)}")
    return shape[0], shape[1], shape[2]


def default_patch(shape: tuple[int, int, int]) -> int:
    """Side of a patch for images of this shape: about 36 to 256 tokens for usual sizes."""
    size = max(shape[1:])
    return next((patch for limit, patch in ((12, 2), (48, 4), (128, 8)) if size <= limit), 16)


def patchify(
    x: Float[Tensor, "batch channels height width"], patch: int
) -> Float[Tensor, "batch tokens size"]:
    """Square patches in reading order, each flattened as ``(row, column, channel)``.

    An image whose sides are no multiples of ``patch`` is filled up with zeros on the right and below; zero is
    the mean colour after normalisation.
    """
    b, c, h, w = x.shape
    if h % patch or w % patch:
        x = F.pad(x, (0, -w % patch, 0, -h % patch))
    rows, columns = -(-h // patch), -(-w // patch)
    cut = x.view(b, c, rows, patch, columns, patch).permute(0, 2, 4, 3, 5, 1)
    return cut.reshape(b, rows * columns, patch * patch * c)


class PatchTokenizer(Tokenizer):
    """Image patches through one linear layer (ViT, arXiv:2010.11929, section 3.1).

    Args:
        shape: ``(channels, height, width)`` of the images; other heights and widths work too (small crops).
        patch: side of a patch in pixels.
        dim: width of a token.
    """

    modality = "image"
    mask_ratio = 0.75
    axes = 2

    @classmethod
    def of(cls, input: dict[str, Any], dim: int, patch: int | None) -> "PatchTokenizer":
        shape = image_shape(input)
        return cls(shape, default_patch(shape) if patch is None else patch, dim)

    def __init__(self, shape: tuple[int, int, int], patch: int, dim: int) -> None:
        super().__init__()
        if patch < 1:
            raise InputError(f"patch {patch} cannot be; take 1 pixel or more")
        self.shape, self.patch, self.dim = shape, patch, dim
        self.grid = self._cells(*shape[1:])
        self.target_size = patch * patch * shape[0]
        # quicker on CPUs than a strided convolution: in bf16 up to 3 times
        self.linear = nn.Linear(self.target_size, dim)
        nn.init.xavier_uniform_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def _cells(self, height: int, width: int) -> tuple[int, int]:
        return -(-height // self.patch), -(-width // self.patch)

    def layout(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> tuple[Float[Tensor, "batch tokens 2"], Bool[Tensor, "batch tokens"]]:
        """``(row, column)`` of every patch; all of them are valid."""
        coords = grid(self._cells(*x.shape[2:]), x.device)
        valid = torch.ones(len(x), len(coords), dtype=torch.bool, device=x.device)
        return coords.expand(len(x), -1, -1), valid

    def embed(self, x: Float[Tensor, "batch channels height width"]) -> Tokens:
        return Tokens(self.linear(patchify(x, self.patch)), *self.layout(x))

    def targets(self, x: Float[Tensor, "batch channels height width"]) -> Targets:
        """The pixels of every patch, ``(batch, tokens, patch · patch · channels)``, as they are in ``x``."""
        return Targets(patchify(x, self.patch), self.target_kind, self.target_size)

    def unpatchify(
        self, patches: Float[Tensor, "batch tokens size"], height: int | None = None, width: int | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Images from patches: undoes ``targets``; the size is that of ``shape`` unless given."""
        c, h, w = self.shape[0], height or self.shape[1], width or self.shape[2]
        rows, columns = self._cells(h, w)
        x = patches.view(len(patches), rows, columns, self.patch, self.patch, c).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(len(patches), c, rows * self.patch, columns * self.patch)[:, :, :h, :w]
