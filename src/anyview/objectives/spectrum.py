"""What the spectrum of an embedding says about it, without labels.

All take ``(samples, dim)`` and give a scalar without gradient. They read a whole embedding, so give them many
more samples than dimensions: fewer cap every rank. Input that is not finite gives NaN.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.register import system


@system(
    "rankme",
    title="RankMe: Assessing the Downstream Performance of Pretrained Self-Supervised Representations by Their Rank",
    paper="arXiv:2210.02885",
    year=2023,
    kind="evaluation",
)
@torch.no_grad()
def rankme(z: Float[Tensor, "samples dim"], eps: float = 1e-7) -> Float[Tensor, ""]:
    r"""RankMe, a smooth rank from 1 to ``min(samples, dim)`` (Garrido et al. 2023, arXiv:2210.02885, eq. 1).

        exp( - sum_k p_k log p_k ),   p_k = sigma_k / sum_j sigma_j + eps

    over the ``min(samples, dim)`` singular values, neither squared nor of centred data: both are other
    numbers. Compares runs of one method and architecture (``anyview select``); a high rank is necessary for
    a good linear probe, not enough. An embedding of zeros has rank 1.
    """
    sigma = eigenvalues(z).sqrt()
    p = sigma / sigma.sum().clamp(min=torch.finfo(sigma.dtype).tiny) + eps
    return (-(p * p.log()).sum()).exp()


@torch.no_grad()
def alpha_req(z: Float[Tensor, "samples dim"]) -> Float[Tensor, ""]:
    r"""The exponent of a power law ``lambda_i ~ i^-alpha`` (alpha-ReQ, Agrawal et al., NeurIPS 2022).

    ``lambda_i`` are the eigenvalues of the covariance, largest first. The line
    ``log lambda = c - alpha log i`` is fitted by least squares with weights ``1 / i`` (each octave counts
    alike, as in Stringer et al. 2019, whose fit the authors use) over ``i`` from 11 to 100; with fewer than
    40 eigenvalues, from after the first quarter to the last. Eigenvalues below ``1e-12`` of the largest are
    rounding and not counted. Near 1 is reported to go with good probes; small is nearly white, large is near
    collapse. NaN when fewer than two eigenvalues are left: a collapsed embedding has no slope.
    """
    values = covariance_eigenvalues(z)
    values = values[values > 1e-12 * values[:1]][:100]
    first = min(10, len(values) // 4)
    i = torch.arange(first + 1, len(values) + 1, dtype=values.dtype, device=values.device)
    x, y, weight = i.log(), values[first:].log(), 1 / i
    x = x - (weight * x).sum() / weight.sum()
    return -(weight * x * y).sum() / (weight * x * x).sum()


@torch.no_grad()
def stable_rank(z: Float[Tensor, "samples dim"]) -> Float[Tensor, ""]:
    r"""``||Z||_F^2 / ||Z||_2^2 = sum_k sigma_k^2 / sigma_1^2`` (Rudelson and Vershynin 2007), not centred.

    Of centred embeddings, ``stable_rank(z - z.mean(0))``, it is NESum (He and Ozay 2022, definition 4.1).
    """
    values = eigenvalues(z)
    return values.sum() / values.amax()


@torch.no_grad()
def participation_ratio(z: Float[Tensor, "samples dim"]) -> Float[Tensor, ""]:
    r"""``(sum_i lambda_i)^2 / sum_i lambda_i^2`` of the covariance's eigenvalues (Gao et al. 2017).

    The number of dimensions that share the variance, if they shared it equally.
    """
    values = covariance_eigenvalues(z)
    return values.sum().square() / values.square().sum()


@torch.no_grad()
def spectrum_decay(z: Float[Tensor, "samples dim"]) -> Float[Tensor, ""]:
    r"""Area under the curve of explained variance (after Li, Efros and Pathak 2022, arXiv:2209.15007).

        mean_j sum_{i <= j} lambda_i / sum_i lambda_i

    over the ``min(samples, dim)`` eigenvalues of the covariance, largest first: 1 when one direction has all the
    variance, ``(n + 1) / 2n`` when ``n`` share it evenly. Unlike a rank it also says how steeply the spectrum falls
    within the directions in use. NaN when there is no variance.
    """
    values = covariance_eigenvalues(z)
    return (values.cumsum(0) / values.sum()).mean()


@torch.no_grad()
def dimension_std(z: Float[Tensor, "samples dim"]) -> Float[Tensor, ""]:
    r"""Standard deviation of L2-normalised embeddings, averaged over dimensions.

    The collapse measure of SimSiam (Chen and He 2021, arXiv:2011.10566, section 4.1): 0 when collapsed to a
    point, about ``1 / sqrt(dim)`` when directions are spread evenly.
    """
    return F.normalize(_exact(z), dim=1).std(0).mean()


@torch.no_grad()
def weakest_dimension(z: Float[Tensor, "samples dim"]) -> Float[Tensor, ""]:
    """Smallest standard deviation of a dimension as a share of the mean one: 0 when a dimension is dead."""
    std = _exact(z).std(0)
    return std.amin() / std.mean()


def eigenvalues(z: Float[Tensor, "samples dim"]) -> Float[Tensor, "rank"]:
    """Squared singular values, largest first: the spectrum of the smaller of ``Z^T Z`` and ``Z Z^T``.

    Computed in float64, of whose digits squaring costs half: rounding moves a singular value by less than
    ``1e-7`` of the largest, as an SVD in float32 would and no more than RankMe's own ``eps``. It takes no
    longer than that, a sixth of it for wide ``Z``, and half as long as an SVD in float64.
    """
    z = _exact(z)
    gram = z @ z.T if len(z) < z.shape[1] else z.T @ z
    if not gram.isfinite().all():  # LAPACK would raise, and a health check must not end a run
        return torch.full_like(gram[0], torch.nan)
    return torch.linalg.eigvalsh(gram).clamp(min=0).flip(0)


def covariance_eigenvalues(z: Float[Tensor, "samples dim"]) -> Float[Tensor, "rank"]:
    """Eigenvalues of ``(samples - 1)`` times the covariance, largest first, at most ``samples`` of them."""
    z = _exact(z)
    return eigenvalues(z - z.mean(0))


def _exact(z: Tensor) -> Tensor:
    """Float64; on the CPU where the device has none (Apple's GPUs)."""
    return (z.cpu() if z.device.type == "mps" else z).detach().double()
