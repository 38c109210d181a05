"""Whitening objectives: views are compared after the batch has been made round, so no point is left to fall to."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.precision import full_precision
from anyview.objectives.variance import between_views


@full_precision
def w_mse(z: Float[Tensor, "views batch dim"], size: int = 128, eps: float = 1e-4) -> Float[Tensor, ""]:
    r"""W-MSE (Ermolov et al. 2021, arXiv:2007.06346, eq. 3 to 6): distances between whitened views.

        L = mean over samples and pairs of views of  || u_v - u_w ||^2,   u = w / ||w||,   w = W (z - mean)

    Each view of each sub-batch of about ``size`` samples is whitened by its own mean and Cholesky factor,
    ``W^T W = Cov^-1`` (see ``whitened``). The value lies in ``[0, 4]``: 0 when views agree, 2 when they are
    unrelated.

    The paper draws the partition into sub-batches anew at each step; the loop draws batches at random, so here they
    are neighbours in the batch. A last part that would be smaller is shared among the others.

    Args:
        z: embeddings, of any length.
        size: of a sub-batch: twice ``dim`` in the paper, more than ``dim`` in any case.
        eps: share of the mean variance that is mixed into the covariance; the paper's code has none by default,
            and fails where a direction has no variance.

    Raises:
        InputError: for a single view or fewer than two samples, a size below 2, or an eps outside 0 to 1.
    """
    views, batch, _ = z.shape
    if views < 2 or batch < 2:
        raise InputError(f"w_mse compares two or more views of two or more samples, not {views} of {batch}")
    if size < 2:
        raise InputError(f"w_mse whitens by a covariance; a sub-batch needs two samples or more, not {size}")
    parts = z.tensor_split(max(1, batch // size), dim=1)
    u = F.normalize(torch.cat([whitened(part, eps) for part in parts], 1), dim=-1)
    return between_views(u).sum(-1).mean()


def whitened(x: Float[Tensor, "views batch dim"], eps: float = 0.0) -> Float[Tensor, "views batch dim"]:
    r"""Each view shifted and turned to mean 0 and covariance 1: ``L^-1 (x - mean)`` with ``L L^T = S`` and

        S = (1 - eps) Cov + eps mean(diag Cov) I

    by the unbiased covariance. ``eps`` is a share of the mean variance, so scaling ``x`` changes nothing. In double
    precision, since the inverse of a covariance squares what rounding does.

    Raises:
        InputError: for an eps outside 0 to 1.
    """
    if not 0 <= eps < 1:
        raise InputError(f"eps is a share of the mean variance, from 0 up to below 1, not {eps:g}")
    centred = (x - x.mean(1, keepdim=True)).double()
    cov = centred.mT @ centred / (x.shape[1] - 1)
    variance = cov.diagonal(dim1=1, dim2=2).mean(1)[:, None, None].clamp(min=1e-30)
    eye = torch.eye(x.shape[2], dtype=cov.dtype, device=cov.device)
    factor, _ = torch.linalg.cholesky_ex((1 - eps) * cov + eps * variance * eye)
    return torch.linalg.solve_triangular(factor, centred.mT, upper=False).mT.to(x.dtype)
