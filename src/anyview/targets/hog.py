"""Histograms of oriented gradients, of a whole batch of images at once."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError


@torch.no_grad()
def hog(
    x: Float[Tensor, "batch channels height width"], cell: int, bins: int = 9
) -> Float[Tensor, "batch size rows columns"]:
    """Histograms of oriented gradients (Dalal and Triggs 2005), as MaskFeat makes targets of them (Wei et al.
    2022, arXiv:2112.09133, section 3.2 and appendix).

    Gradients are central differences ``x[i + 1] - x[i - 1]``, with the border repeated. Each pixel of a channel
    votes with the length of its gradient for one of ``bins`` ranges of its orientation, without sign, from 0
    to π. The votes of a cell are summed and its histogram scaled to unit length, channel by channel. (The paper
    weighs votes of larger cells by a Gaussian, and normalises alike; here cells weigh all pixels equally.)

    Args:
        x: images. Sides that are no multiple of ``cell`` are filled up on the right and below by repetition.
        cell: side of a cell in pixels.
        bins: ranges of orientation.

    Returns:
        ``size`` is ``channels · bins``, channels first. A cell without any gradient is zero.

    Raises:
        InputError: for a cell or a number of bins below 1.
    """
    if cell < 1 or bins < 1:
        raise InputError(f"hog needs cells of 1 pixel and 1 bin or more, not {cell} and {bins}")
    x = x if x.dtype == torch.float64 else x.float()
    height, width = x.shape[2:]
    x = F.pad(x, (0, -width % cell, 0, -height % cell), mode="replicate")
    near = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across = near[..., 1:-1, 2:] - near[..., 1:-1, :-2]
    down = near[..., 2:, 1:-1] - near[..., :-2, 1:-1]
    length = (across.square() + down.square()).sqrt()
    angle = torch.atan2(down, across).remainder(math.pi)
    chosen = (angle / math.pi * bins).floor().long().clamp(max=bins - 1)
    votes = F.one_hot(chosen, bins).to(x.dtype) * length[..., None]
    batch, channels, rows, columns = x.shape
    votes = votes.view(batch, channels, rows // cell, cell, columns // cell, cell, bins).sum((3, 5))
    return F.normalize(votes, dim=-1).permute(0, 1, 4, 2, 3).flatten(1, 2)


def hog_of_patches(
    x: Float[Tensor, "batch channels height width"], patch: int, cell: int, bins: int = 9
) -> Float[Tensor, "batch patches size"]:
    """The histograms of the cells of each patch, in reading order; ``size`` is ``channels · bins`` a cell.

    Args:
        x, cell, bins: see ``hog``.
        patch: side of a patch in pixels, a multiple of ``cell``.
    """
    height, width = x.shape[2:]
    x = F.pad(x, (0, -width % patch, 0, -height % patch), mode="replicate")
    cells, side = hog(x, cell, bins), patch // cell
    rows = cells.unflatten(3, (-1, side)).unflatten(2, (-1, side))  # (batch, size, row, in, column, in)
    return rows.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
