"""Coding rate: how many bits a batch of embeddings takes, which grows with the volume that it spans."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.precision import full_precision


@full_precision
def coding_rate(z: Float[Tensor, "*sets batch dim"], eps: float = 0.2) -> Float[Tensor, "*sets"]:
    r"""The total coding rate of each set of ``B`` unit vectors of ``d`` values (Yu et al. 2020, arXiv:2006.08558,
    eq. 1, and EMP-SSL).

        R(Z) = 1/2 log det( I + d / (B eps^2) Z^T Z ),   rows of Z normalised

    At least ``1/2 log(1 + d / eps^2)``, when all are equal up to sign; at most ``r/2 log(1 + d / (r eps^2))`` with
    ``r = min(B, d)``, when orthogonal directions are used alike. ``eps`` is squared, as in the papers; the code of
    EMP-SSL takes it as it is, so its 0.2 is 0.447 here.

    Computed through the smaller of ``Z^T Z`` and ``Z Z^T``, which give the same.

    Raises:
        InputError: for an eps that is not above 0.
    """
    if not eps > 0:
        raise InputError(f"eps, the allowed distortion, must be above 0; it is {eps:g}")
    u = F.normalize(z, dim=-1)
    batch, dim = u.shape[-2:]
    gram = u.mT @ u if dim <= batch else u @ u.mT
    eye = torch.eye(gram.shape[-1], dtype=u.dtype, device=u.device)
    factor, _ = torch.linalg.cholesky_ex(eye + dim / (batch * eps**2) * gram)
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)  # half of the log-determinant


@full_precision
def emp_ssl(
    z: Float[Tensor, "views batch dim"], similarity: float = 200.0, eps: float = 0.2
) -> dict[str, Float[Tensor, ""]]:
    r"""EMP-SSL (Tong et al. 2023, arXiv:2304.03977, eq. 3): views stay with their mean, and each view of the batch
    spreads.

        L = - mean_v R(Z_v) - similarity mean_{v, b} cos(z_vb, m_b),   m_b = mean_v z_vb

    over unit ``z``; the gradient goes through the mean too. The coding rate is made **large**: one popular version
    adds it with the other sign, which rewards collapse. It is taken within each view (patch number), not over all
    views of the batch together, which would reward views that differ.

    Returns:
        The two terms by name; their sum is the loss.

    Raises:
        InputError: for a single view or an eps that is not above 0.
    """
    if len(z) < 2:
        raise InputError(
            "emp_ssl compares views with their mean; this batch has one view and needs two or more"
        )
    u = F.normalize(z, dim=-1)
    cosine = F.cosine_similarity(u, u.mean(0, keepdim=True), dim=-1)
    return {"coding_rate": -coding_rate(u, eps).mean(), "similarity": -similarity * cosine.mean()}
