"""Decorrelation objectives: views agree, dimensions vary and say different things."""

from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.precision import full_precision


@full_precision
def vicreg(
    z: Float[Tensor, "views batch dim"],
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
    gamma: float = 1.0,
    eps: float = 1e-4,
) -> dict[str, Float[Tensor, ""]]:
    r"""VICReg (Bardes et al. 2022, arXiv:2105.04906), in the variant of the official code.

    For two views ``Z, Z'`` of ``n`` samples and ``d`` dimensions:

        invariance   mean over samples and dimensions of (Z - Z')^2
        variance     ( v(Z) + v(Z') ) / 2,   v(Z) = mean_j max(0, gamma - sqrt(Var(Z_j) + eps))
        covariance   c(Z) + c(Z'),           c(Z) = (1/d) sum_{i != j} Cov(Z)_ij^2

    with unbiased variance and covariance (``n - 1``). The paper's equations differ from its pseudo-code and
    code in two factors: eq. 5 does not divide the invariance by ``d``, and eq. 6 sums the variance over the
    two views instead of averaging it. More than two views: each term is averaged over the pairs of views.

    Args:
        z: embeddings (the expander's output), not normalised.
        invariance, variance, covariance: weights; the paper's lambda, mu and nu.
        gamma: standard deviation below which a dimension is pushed apart.
        eps: keeps the gradient of the standard deviation finite when a dimension is constant.

    Returns:
        The three weighted terms by name; their sum is the loss.

    Raises:
        InputError: for a single view or a single sample, which has no variance.
    """
    _check_pairs("vicreg", z)
    batch, dim = z.shape[1:]
    centred = (z - z.mean(1, keepdim=True)) / (batch - 1) ** 0.5
    std = (centred.square().sum(1) + eps).sqrt()
    cov = squared_off_diagonal(centred) / dim
    return {
        "invariance": invariance * between_views(z).mean(),
        "variance": variance * (gamma - std).relu().mean(),
        "covariance": covariance * 2 * cov.mean(),
    }


@full_precision
def barlow_twins(
    z: Float[Tensor, "views batch dim"], lambd: float = 0.0051, eps: float = 1e-5
) -> Float[Tensor, ""]:
    r"""Barlow Twins (Zbontar et al. 2021, arXiv:2103.03230, eq. 1 and 2), not rescaled.

        L = sum_i (1 - C_ii)^2 + lambd sum_{i != j} C_ij^2

    with ``C = A^T B / batch`` and ``A, B`` the two views, each dimension shifted and scaled to mean 0 and
    (biased) variance 1 over the batch. ``eps`` is added to that variance, as the batch normalisation in the
    official code does; eq. 2 has none and is undefined for a constant dimension. Some versions of that code
    multiply the loss by a constant; this one does not. More than two views: the mean over pairs of views.

    Raises:
        InputError: for a single view or a single sample.
    """
    _check_pairs("barlow_twins", z)
    views, batch, dim = z.shape
    centred = z - z.mean(1, keepdim=True)
    a = centred / (centred.square().mean(1, keepdim=True) + eps).sqrt() / batch**0.5
    gram = a @ a.mT if batch < dim else None
    losses = []
    for v, w in combinations(range(views), 2):
        diagonal = (a[v] * a[w]).sum(0)
        if gram is None:
            c = a[v].T @ a[w]
            off = (c - c.diagonal().diag()).square().sum()
        else:  # || A^T B ||^2 = <A A^T, B B^T>, so dim x dim is not needed; see squared_off_diagonal
            off = (gram[v] * gram[w]).sum() - diagonal.square().sum()
        losses.append((1 - diagonal).square().sum() + lambd * off)
    return torch.stack(losses).mean()


def between_views(z: Float[Tensor, "views batch dim"]) -> Float[Tensor, "batch dim"]:
    """The mean of ``(z_v - z_w)^2`` over pairs of views: twice the unbiased variance over views.

    ``torch.var`` over the first of three axes takes tens of times as long.
    """
    return (z - z.mean(0)).square().sum(0) * (2 / (len(z) - 1))


def squared_off_diagonal(x: Float[Tensor, "views batch dim"]) -> Float[Tensor, "views"]:
    """``sum_{i != j} (X^T X)_ij^2`` for each view, through the smaller of ``X^T X`` and ``X X^T``.

    Both have the same Frobenius norm, so with fewer samples than dimensions the diagonal's squares are taken
    from that of ``X X^T``. The rank is then below ``dim``, columns cannot be uncorrelated, and the difference
    is no smaller than its parts: nothing cancels.
    """
    _, batch, dim = x.shape
    if batch < dim:
        return (x @ x.mT).square().sum((1, 2)) - x.square().sum(1).square().sum(1)
    return 2 * (x.mT @ x).triu(1).square().sum((1, 2))


def _check_pairs(name: str, z: Tensor) -> None:
    if z.shape[0] < 2 or z.shape[1] < 2:
        raise InputError(
            f"{name} needs at least two views of two samples; it got {z.shape[0]} of {z.shape[1]}. "
            "Raise the batch size, or drop the last incomplete batch"
        )
