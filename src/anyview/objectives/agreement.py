"""What several views of the same samples say of an embedding, without labels."""

import math
from itertools import combinations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.spectrum import covariance_eigenvalues
from anyview.products import quick_products

BLOCK = 2**22  #: similarities held at once


@torch.no_grad()
def lidar(z: Float[Tensor, "views samples dim"], delta: float = 1e-4, eps: float = 1e-7) -> Float[Tensor, ""]:
    r"""LiDAR, the effective rank of what tells samples apart (Thilak et al. 2024, arXiv:2312.04000).

    Each sample is a class and its views are the class's members. With class means ``mu_i`` about their mean
    ``mu``, the scatters of linear discriminant analysis

        S_b = mean_i (mu_i - mu)(mu_i - mu)^T,   S_w = mean_iv (z_iv - mu_i)(z_iv - mu_i)^T + delta I

    give the eigenvalues ``lambda`` of ``S_w^-1/2 S_b S_w^-1/2``, and

        exp( - sum_k p_k log p_k ),   p_k = lambda_k / sum_j lambda_j + eps

    from 1 to ``min(samples - 1, dim)``. Directions in which views of one sample differ as much as samples do count
    little, where RankMe would count them. The paper takes 1,000 samples of 50 views.

    Args:
        delta: added to the scatter within, so that it can be inverted. It is no share of anything: embeddings
            that are very small are judged by their size.

    Raises:
        InputError: for fewer than two views or samples.
    """
    views, samples, dim = z.shape
    if views < 2 or samples < 2:
        raise InputError(f"lidar needs two views of two samples or more; these are {views} of {samples}")
    x = (z.cpu() if z.device.type == "mps" else z).double()
    means = x.mean(0)
    inside = (x - means).flatten(0, 1)
    within = inside.T @ inside / len(inside) + delta * torch.eye(dim, dtype=x.dtype, device=x.device)
    if not (within.isfinite().all() and means.isfinite().all()):
        return x.new_tensor(math.nan)
    # with S_w = L L^T the eigenvalues are those of L^-1 S_b L^-T, the scatter of means that L^-1 whitens
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(within), means.T, upper=False).T
    values = covariance_eigenvalues(white)
    p = values / values.sum().clamp(min=torch.finfo(values.dtype).tiny) + eps
    return (-(p * p.log()).sum()).exp()


@torch.no_grad()
def knn_consistency(z: Float[Tensor, "views samples dim"], k: int = 10) -> Float[Tensor, ""]:
    r"""Share of a sample's ``k`` nearest neighbours that two views of the data agree on, from 0 to 1.

        mean over samples i and pairs of views of | N_u(i) & N_v(i) | / k

    ``N_u(i)`` are the ``k`` samples whose embeddings in view ``u`` have the largest cosine with that of ``i``, itself
    left out: mutual k-nearest neighbours (Huh et al. 2024, arXiv:2405.07987), there of two encoders on
    one view, here of one encoder on two. No labels are used, where a nearest-neighbour classifier would. Chance gives
    ``k / (samples - 1)``. Equal similarities are broken the other way round in every second view, so that an
    embedding that is the same for all samples agrees on nothing. ``k`` is cut to ``samples - 1``.

    Raises:
        InputError: for a single view, or fewer than two samples.
    """
    views, samples, _ = z.shape
    if views < 2 or samples < 2:
        raise InputError(
            f"knn_consistency compares two views of two samples or more; these are {views} of {samples}"
        )
    if not z.isfinite().all():
        return z.new_tensor(math.nan)
    k = min(k, samples - 1)
    near = [neighbours(x, k, backwards=bool(v % 2)) for v, x in enumerate(F.normalize(z.float(), dim=-1))]
    shares = [_shared(near[u], near[v]) for u, v in combinations(range(views), 2)]
    return torch.stack(shares).mean()


@quick_products()
def neighbours(
    unit: Float[Tensor, "samples dim"], k: int, backwards: bool = False
) -> Int[Tensor, "samples k"]:
    """Places of the ``k`` nearest other samples of each, a block of rows at a time; ``backwards`` looks through the
    samples from the last to the first."""
    n = len(unit)
    unit = unit.flip(0) if backwards else unit
    found = []
    for rows in torch.arange(n, device=unit.device).split(max(1, BLOCK // n)):
        similarity = unit[rows] @ unit.T
        similarity[torch.arange(len(rows), device=unit.device), rows] = -torch.inf
        found.append(similarity.topk(k, dim=1).indices)
    near = torch.cat(found)
    return n - 1 - near.flip(0) if backwards else near


def _shared(a: Int[Tensor, "samples k"], b: Int[Tensor, "samples k"]) -> Float[Tensor, ""]:
    return (a[:, :, None] == b[:, None, :]).any(2).float().mean()
