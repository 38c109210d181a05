"""How contrastive and non-contrastive criteria of one batch relate: they differ by norms alone."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Criteria:
    """Both criteria of a batch ``Z`` of ``samples x dim``, and the identity between them.

    Attributes:
        contrastive: ``Lc = || Z Z^T - diag ||_F^2``, the products of different samples.
        non_contrastive: ``Lnc = || Z^T Z - diag ||_F^2``, the products of different dimensions.
        sample_norms: ``sum_i || Z_i ||^4`` over samples.
        dimension_norms: ``sum_j || Z_j ||^4`` over dimensions.
    """

    contrastive: float
    non_contrastive: float
    sample_norms: float
    dimension_norms: float

    @property
    def residual(self) -> float:
        """``Lnc + dimension norms - (Lc + sample norms)``, 0 up to rounding: both are the norm of a Gram matrix."""
        return (self.non_contrastive + self.dimension_norms) - (self.contrastive + self.sample_norms)


@torch.no_grad()
def criteria(z: Float[Tensor, "samples dim"]) -> Criteria:
    r"""The two criteria of Garrido et al. (2023, arXiv:2206.02574, definitions 3.1 and 3.2, theorem 3.3):

        Lnc + sum_j || Z_j ||^4 = Lc + sum_i || Z_i ||^4

    With unit samples and dimensions of equal norm ``Lnc = Lc + samples - samples^2 / dim``. In double precision; each
    criterion is summed from its own Gram matrix, in blocks of rows, so that the residual says something.
    """
    z = z.double()
    return Criteria(
        _off_diagonal(z), _off_diagonal(z.T), float(_fourth_powers(z)), float(_fourth_powers(z.T))
    )


def _off_diagonal(x: Tensor) -> float:
    """``sum_{i != j} (x_i . x_j)^2`` over rows."""
    total = 0.0
    for start in range(0, len(x), 1024):
        products = x[start : start + 1024] @ x.T
        products.diagonal(start).zero_()
        total += float(products.square().sum())
    return total


def _fourth_powers(x: Tensor) -> Tensor:
    return x.square().sum(1).square().sum()
