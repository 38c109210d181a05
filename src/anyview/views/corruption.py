"""Views spoilt in connected blocks, beside the views as they were (group-masked model learning)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from anyview.data.batch import Batch
from anyview.errors import InputError
from anyview.views.base import Views

ROUNDS = 200  #: blocks drawn at most; what is left to reach the share is then filled up cell by cell


def connected_blocks(
    batch: int, rows: int, columns: int, share: Float[Tensor, "batch"], largest: float = 0.3
) -> Bool[Tensor, "batch rows columns"]:
    """Random rectangles of cells, drawn one after another until ``share`` of the cells is covered (SiT,
    arXiv:2104.03602, section 3.1): at least that many, and at most one block more.

    Args:
        share: of each sample, 0 to 1.
        largest: side of a block, as a share of the grid's.
    """
    covered = torch.zeros(batch, rows, columns, dtype=torch.bool, device=share.device)
    row, column = (torch.arange(n, device=share.device) for n in (rows, columns))
    needed = share * rows * columns

    def interval(place: Tensor, size: int) -> Tensor:
        draw = torch.rand(2, batch, 1, device=share.device)
        side = 1 + (draw[0] * max(1, round(largest * size))).floor()
        start = (draw[1] * (size - side + 1)).floor()
        return (place >= start) & (place < start + side)

    for _ in range(ROUNDS):
        short = covered.sum((1, 2)) < needed
        if not short.any():
            return covered
        block = interval(row, rows)[:, :, None] & interval(column, columns)[:, None]
        covered = covered | (block & short[:, None, None])
    order = torch.rand(batch, rows * columns, device=share.device).masked_fill(covered.flatten(1), -1)
    rank = order.argsort(1).argsort(1).view_as(covered)
    return covered | (rank < needed.ceil()[:, None, None])


class Corrupted(Views):
    """The views of ``views``, and behind them the same ones corrupted (SiT, arXiv:2104.03602, section 3.1).

    Of each corrupted image either blocks are replaced by noise, or by what another image of the batch has at the
    same place. ``meta["altered"]`` of a corrupted view is True for the cells that were.

    Args:
        views: of images, normalised.
        cell: side of the cells that blocks are made of, in pixels.
        drop: share of an image that noise replaces.
        replace: share that another image replaces.
    """

    def __init__(self, views: Views, cell: int, drop: float = 0.5, replace: float = 0.3) -> None:
        for name, share in (("drop", drop), ("replace", replace)):
            if not 0 < share < 1:
                raise InputError(f"{name} is {share}; the share to corrupt lies between 0 and 1")
        self.inner, self.cell, self.drop, self.replace = views, cell, drop, replace
        self.count = 2 * views.count

    def __call__(self, batch: Batch) -> list[Batch]:
        clean = self.inner(batch)
        return clean + [self.corrupt(view) for view in clean]

    def corrupt(self, view: Batch) -> Batch:
        """A corrupted copy; the clean view is not touched."""
        x = view.x
        batch, _, height, width = x.shape
        rows, columns = -(-height // self.cell), -(-width // self.cell)
        noisy = torch.rand(batch, device=x.device) < 0.5 if batch > 1 else torch.ones(1, dtype=torch.bool)
        noisy = noisy.to(x.device)
        share = torch.where(noisy, self.drop, self.replace)
        altered = connected_blocks(batch, rows, columns, share)
        pixels = altered.repeat_interleave(self.cell, 1).repeat_interleave(self.cell, 2)
        donor = x.roll(1 + int(torch.randint(max(1, batch - 1), ())), 0)
        filling = torch.where(noisy[:, None, None, None], torch.randn_like(x), donor)
        spoilt = torch.where(pixels[:, None, :height, :width], filling, x)
        return view.with_x(spoilt, altered=altered.flatten(1))
