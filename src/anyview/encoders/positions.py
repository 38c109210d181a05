"""Where a token stands, as a vector: sines and cosines of its coordinates, or a learned table."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from anyview.errors import InputError, unknown

KINDS = ("sincos", "learned", "none")


def grid(extent: tuple[int, ...], device: torch.device | None = None) -> Float[Tensor, "tokens axes"]:
    """Coordinates of all cells of a grid, last axis running fastest: ``(rows · columns, 2)`` for images."""
    steps = [torch.arange(n, dtype=torch.float32, device=device) for n in extent]
    return torch.stack(torch.meshgrid(*steps, indexing="ij"), -1).flatten(0, -2)


def cell_number(
    coords: Float[Tensor, "batch tokens axes"], extent: tuple[int, ...]
) -> Int64[Tensor, "batch tokens"]:
    """The number of each token's cell on the grid of all places; what lies beyond it counts as its edge."""
    number = torch.zeros_like(coords[..., 0], dtype=torch.long)
    for axis, size in zip(coords.long().unbind(-1), extent):
        number = number * size + axis.clamp(0, size - 1)
    return number


def sincos(coords: Float[Tensor, "batch tokens axes"], dim: int) -> Float[Tensor, "batch tokens {dim}"]:
    """Fixed positions for any number of axes.

    Each axis has an equal, even share ``2 f`` of ``dim``: ``sin(c ω_i), cos(c ω_i)`` with
    ``ω_i = 10000^(-i/f)``, ``i = 0 .. f-1`` (Vaswani et al. 2017, arXiv:1706.03762, section 3.5; split over
    axes as MAE does, arXiv:2111.06377, appendix A). What is left of ``dim`` is zero.
    """
    axes = coords.shape[2]
    frequencies = dim // (2 * axes) if axes else 0
    out = coords.new_zeros(*coords.shape[:2], dim, dtype=torch.float32)
    if frequencies:
        omega = 10000.0 ** (-torch.arange(frequencies, device=coords.device) / frequencies)
        angle = coords.float()[..., None] * omega  # (batch, tokens, axes, frequencies)
        out[..., : 2 * frequencies * axes] = torch.cat([angle.sin(), angle.cos()], -1).flatten(2)
    return out


class Positions(nn.Module):
    """Positions of ``kind`` ``sincos``, ``learned`` (one vector a cell of ``extent``) or ``none``.

    Raises:
        InputError: for an unknown kind; for ``learned``, when a token lies outside ``extent``.
    """

    def __init__(self, kind: str, dim: int, extent: tuple[int, ...]) -> None:
        super().__init__()
        if kind not in KINDS:
            raise unknown("positions", kind, KINDS)
        if kind == "sincos" and dim < 2 * len(extent):
            raise InputError(f"dim {dim} is too small for sincos positions on {len(extent)} axes")
        self.kind, self.dim, self.extent = kind, dim, extent
        if kind == "learned":
            self.table = nn.Parameter(torch.empty(*extent, dim))
            nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, coords: Float[Tensor, "batch tokens axes"]) -> Float[Tensor, "..."]:
        """``(batch, tokens, dim)``, or a zero that adds nothing for ``none``."""
        if self.kind == "none":
            return coords.new_zeros(())
        if self.kind == "sincos":
            return sincos(coords, self.dim)
        cells = coords.long()
        if bool((cells >= torch.tensor(self.extent, device=cells.device)).any()):
            size = " x ".join(map(str, self.extent))
            raise InputError(
                f'learned positions reach {size} tokens and the input has more; take positions "sincos"'
            )
        return self.table[cells.unbind(-1)]
