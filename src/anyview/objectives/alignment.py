"""Alignment and uniformity: two numbers that say what a contrastive loss achieves."""

import math
from itertools import combinations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.pairwise import logsumexp_of_others, sharpness
from anyview.objectives.precision import full_precision


@full_precision
def alignment(z: Float[Tensor, "views batch dim"], alpha: float = 2.0) -> Float[Tensor, ""]:
    r"""Mean distance between views of a sample (Wang and Isola 2020, arXiv:2005.10242, section 4.1).

        mean over samples and pairs of views of || u_v - u_w ||^alpha,   u = z / ||z||

    0 when all views of a sample agree; 2 is expected for unrelated directions and ``alpha = 2``.

    Raises:
        InputError: for a single view.
    """
    if len(z) < 2:
        raise InputError(
            "alignment compares views of a sample; this batch has one view and needs two or more"
        )
    u = F.normalize(z, dim=-1)
    pairs = [torch.linalg.vector_norm(u[v] - u[w], dim=-1) for v, w in combinations(range(len(z)), 2)]
    return torch.stack(pairs).pow(alpha).mean()


@full_precision
def uniformity(z: Float[Tensor, "*views batch dim"], t: float = 2.0) -> Float[Tensor, ""]:
    r"""How evenly embeddings fill the sphere (Wang and Isola 2020, arXiv:2005.10242, section 4.1).

        log mean_{i != j} exp( -t || u_i - u_j ||^2 ),   u = z / ||z||

    within each view, averaged over views as in the authors' code. 0 when collapsed, more negative when more
    uniform; about ``-2t`` for independent uniform directions in many dimensions. Pairs are summed in blocks.

    Raises:
        InputError: for fewer than two samples.
    """
    n = z.shape[-2]
    if n < 2:
        raise InputError(f"uniformity compares samples; this batch has {n} and needs two or more")
    u = F.normalize(z, dim=-1).reshape(-1, *z.shape[-2:])
    pairs = torch.tensor(n * (n - 1), dtype=u.dtype, device=u.device).log()
    # || u_i - u_j ||^2 = 2 - 2 u_i . u_j on the sphere
    sums = torch.stack([logsumexp_of_others(view, 2 * t).logsumexp(0) for view in u])
    return sums.mean() - 2 * t - pairs


@full_precision
def soft_uniformity(z: Float[Tensor, "views batch dim"], temperature: float = 2.0) -> Float[Tensor, ""]:
    r"""How close embeddings of different samples are, over all views at once (UniSiam, Lu et al. 2022, section 3).

        log mean_{i, j of different samples} exp( cos(z_i, z_j) / t )

    over the ``views batch x views (batch - 1)`` pairs: two views of a sample are no pair. The logarithm is of the
    mean, not the mean of logarithms, which is InfoNCE's and is bounded by the size of the batch. ``1 / t`` when all
    are equal, 0 when all are orthogonal. Gradients go through both sides. Pairs are summed in blocks.

    Args:
        temperature: 2 in the paper: soft, all pairs count nearly alike.

    Raises:
        InputError: for a single sample, or a temperature that is not above 1/600.
    """
    views, batch, _ = z.shape
    if batch < 2:
        raise InputError(f"soft_uniformity compares samples; this batch has {batch} and needs two or more")
    u = F.normalize(z, dim=-1).flatten(0, 1)
    total = logsumexp_of_others(u, sharpness(temperature), samples=batch).logsumexp(0)
    return total - math.log(len(u) * views * (batch - 1))
