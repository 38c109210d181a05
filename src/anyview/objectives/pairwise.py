"""Sums over all pairs of a batch in blocks: no matrix of all pairs is ever held."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from anyview.errors import InputError
from anyview.products import quick_products

BLOCK = 2**20  #: similarities held at once: few enough for a processor's cache, ...
ROWS = 128  #: ... but at least this many rows of them, without which a matrix product is slow
TILE = 1024  #: rows and columns of a square of as many


def sharpness(temperature: float) -> float:
    """What cosines are multiplied by: one over the temperature, which must be above 0."""
    if not temperature > 0:
        raise InputError(f"temperature must be above 0; it is {temperature:g}")
    return 1 / temperature


def logsumexp_of_others(
    u: Float[Tensor, "n dim"], scale: float, samples: int | None = None
) -> Float[Tensor, "n"]:
    r"""``log sum_{k != i} exp(scale u_i . u_k)`` for every row ``i`` of unit vectors.

    With ``samples``, row ``i`` is a view of sample ``i % samples``, and the sum is over rows of other samples
    alone; it is ``-inf`` where there are none.

    Memory is ``O(n dim + TILE^2)``: the backward pass computes the similarities again, tile by tile. Their matrix
    is symmetric, so both passes visit only its upper half, each tile serving its rows and its columns: three
    matrix products in all become two, and half of the exponentials fall away.

    Cosines lie in [-1, 1], so ``exp(scale cos)`` stays inside the range of float32 up to a scale of 50 and
    no running maximum is needed; sharper scales are computed in float64, which reaches to 600.

    Raises:
        InputError: for a scale beyond that (a temperature below 1/600).
    """
    if not 0 < scale <= 600:
        raise InputError(f"cosines cannot be multiplied by {scale:g}; the temperature must be above 1/600")
    period = len(u) if samples is None else samples
    if scale > 50:
        return _LogSumExpOfOthers.apply(u.double(), scale, period).to(u.dtype)
    return _LogSumExpOfOthers.apply(u, scale, period)


def in_blocks(
    work: Callable[[Tensor, int], tuple[Tensor, ...]], x: Float[Tensor, "rows dim"], columns: int
) -> list[tuple[Tensor, ...]]:
    """``work(rows of x, number of the first)`` block by block, each compared with ``columns`` others at once;
    nothing inside is kept for the backward pass, which computes it again."""
    size = max(ROWS, BLOCK // max(1, columns))
    if len(x) <= size:
        return [work(x, 0)]
    blocks = enumerate(x.split(size))
    return [checkpoint(work, part, i * size, use_reentrant=False) for i, part in blocks]


def logsumexp_over(
    x: Float[Tensor, "rows dim"], others: Float[Tensor, "others dim"], scale: float
) -> Float[Tensor, "rows"]:
    """``log sum_k exp(scale x_i . others_k)`` for every row, a block of rows at a time."""

    def sums(rows: Tensor, start: int) -> tuple[Tensor]:
        return ((scale * rows @ others.T).logsumexp(1),)

    return torch.cat([part for (part,) in in_blocks(sums, x, len(others))])


class _LogSumExpOfOthers(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, scale: float, period: int) -> Tensor:
        total = u.new_zeros(len(u))
        for rows, columns in _tiles(len(u)):
            e = _exponentials(u, rows, columns, scale, period)
            total[rows] += e.sum(1)
            if rows != columns:
                total[columns] += e.sum(0)
        ctx.save_for_backward(u, total)
        ctx.scale, ctx.period = scale, period
        return total.log()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        if torch.is_grad_enabled():  # under create_graph; recomputed sums would silently count as constants
            raise RuntimeError("logsumexp_of_others has a first derivative only")
        # d/du_i sum_k g_k log(total_k) = scale sum_k e_ik (g_i / total_i + g_k / total_k) u_k
        u, total = ctx.saved_tensors
        weight = grad / total
        out = torch.zeros_like(u)
        with torch.autocast(u.device.type, enabled=False), quick_products():
            for rows, columns in _tiles(len(u)):
                e = _exponentials(u, rows, columns, ctx.scale, ctx.period)
                e *= weight[rows, None] + weight[columns]
                out[rows] += e @ u[columns]
                if rows != columns:
                    out[columns] += e.T @ u[rows]
        return out.mul_(ctx.scale), None, None


def _tiles(n: int) -> list[tuple[slice, slice]]:
    """Rows and columns of the upper half in tiles of a size, of which a library prepares itself once; those on the
    diagonal are whole, so that each stands for its own two halves."""
    parts = [slice(start, min(start + TILE, n)) for start in range(0, n, TILE)]
    return [(rows, columns) for i, rows in enumerate(parts) for columns in parts[i:]]


def _exponentials(u: Tensor, rows: slice, columns: slice, scale: float, period: int) -> Tensor:
    """``exp(scale u_i . u_k)``, zero where ``i`` is ``k`` or as many rows away as a multiple of ``period``."""
    e = (scale * u[rows] @ u[columns].T).exp_()
    height, width = e.shape
    ahead = columns.start - rows.start
    for apart in range(-((height - 1 - ahead) // period) * period, ahead + width, period):
        e.diagonal(apart - ahead).zero_()
    return e
