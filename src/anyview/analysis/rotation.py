"""Whether a transformation of samples turns their embeddings, and by how much."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError


@dataclass(frozen=True)
class Rotation:
    """The orthogonal map that fits best.

    Attributes:
        matrix: ``R``, with ``target = R source`` as near as can be.
        residual: mean squared distance that is left.
        moved: mean squared distance that there was without it.
    """

    matrix: Float[Tensor, "dim dim"]
    residual: float
    moved: float

    @property
    def angle(self) -> float:
        """Mean angle in radians by which it turns a direction's planes: 0 of the identity, ``pi`` of its opposite."""
        return float(torch.linalg.eigvals(self.matrix).angle().abs().mean())


@torch.no_grad()
def best_rotation(source: Float[Tensor, "samples dim"], target: Float[Tensor, "samples dim"]) -> Rotation:
    r"""Wahba's problem, as CARE measures equivariance by it (Gupta et al. 2024, arXiv:2306.13924, section 3.1).

        R = argmin over orthogonal R of  mean_i || R source_i - target_i ||^2
          = U V^T,   U S V^T = sum_i target_i source_i^T

    Reflections are allowed, as equal products allow them. In double precision. With fewer samples than dimensions
    some rotation always fits: the residual then says nothing.

    Raises:
        InputError: for no samples.
    """
    if not len(source):
        raise InputError("a rotation is fitted to samples; there are none")
    source, target = source.double(), target.double()
    u, _, vt = torch.linalg.svd(target.T @ source)
    matrix = u @ vt
    residual = (source @ matrix.T - target).square().sum(1).mean()
    return Rotation(matrix, float(residual), float((source - target).square().sum(1).mean()))
