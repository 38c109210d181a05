"""Entropies of a batch of embeddings: of its spectrum (von Neumann), of its density on the sphere, of its codes."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.pairwise import logsumexp_of_others
from anyview.objectives.precision import full_precision

Estimator = Literal["plug-in", "joe"]


@full_precision
def von_neumann_entropy(z: Float[Tensor, "*sets batch dim"]) -> Float[Tensor, "*sets"]:
    r"""The von Neumann entropy of each set of embeddings (VNE, Kim et al. 2023, arXiv:2304.01434, eq. 2 to 4).

        VNE(Z) = - sum_k l_k log l_k,   l_k the eigenvalues of (1/B) sum_b u_b u_b^T,   u = z / ||z||

    The trace is 1, so they are a distribution. 0 when all are equal up to sign, ``log min(B, d)`` at most, ``log k``
    when ``k`` orthogonal directions are used alike; its exponential is an effective rank. Not centred.

    As a regulariser it is added to any loss with a weight ``-alpha``: above 0 it spreads the spectrum, below 0 it
    presses it together.

    Only eigenvalues enter, of the smaller of ``U^T U`` and ``U U^T``: their gradient stays finite where they are equal,
    which that of eigenvectors does not. Eigenvalues that are rounding are left out, whose logarithm would be noise.
    """
    u = F.normalize(z, dim=-1)
    batch, dim = u.shape[-2:]
    gram = (u.mT @ u if dim <= batch else u @ u.mT) / batch
    if not gram.isfinite().all():  # LAPACK would raise; the loop says it better
        return gram.sum((-2, -1)) * torch.nan
    values = torch.linalg.eigvalsh(gram)
    some = values > torch.finfo(values.dtype).eps
    share = torch.where(some, values, 1.0)
    return -(share * share.log()).sum(-1)


@full_precision
def i_vne(
    z: Float[Tensor, "views batch dim"],
    alignment: float | None = None,
    entropy: float = 1.0,
    centres: int = 2,
) -> dict[str, Float[Tensor, ""]]:
    r"""I-VNE+ (Kim et al. 2023, arXiv:2304.01434, section 4.4): views agree, and every view's batch spreads.

        L = - a1 mean_{i < j, i among the first ``centres`` views} cos(z_i, z_j) - a2 mean_v VNE(Z_v)

    Args:
        z: projections, any length.
        alignment: ``a1``; None is the logarithm of the batch, the paper's 4.16 for 64, which the entropy cannot
            exceed.
        entropy: ``a2``.
        centres: number of global views, which come first.

    Returns:
        The two weighted terms by name; their sum is the loss.

    Raises:
        InputError: for a single view or sample.
    """
    views, batch, _ = z.shape
    if views < 2 or batch < 2:
        raise InputError(f"i_vne compares two or more views of two or more samples, not {views} of {batch}")
    u = F.normalize(z, dim=-1)
    pairs = [(u[i] * u[j]).sum(-1).mean() for i in range(min(centres, views)) for j in range(i + 1, views)]
    weight = math.log(batch) if alignment is None else alignment
    return {
        "alignment": -weight * torch.stack(pairs).mean(),
        "entropy": -entropy * von_neumann_entropy(u).mean(),
    }


def vmf_log_constant(dim: int, kappa: float) -> float:
    r"""``log C`` of the von Mises-Fisher density ``C exp(kappa m . x)`` on the sphere in ``dim`` dimensions:

        log C = (d/2 - 1) log kappa - (d/2) log 2 pi - log I_{d/2 - 1}(kappa)

    The Bessel function is summed as its power series in logarithms: it underflows doubles from some 500 dimensions
    on, and all its terms are positive.

    Raises:
        InputError: for fewer than two dimensions or a kappa that is not above 0.
    """
    if dim < 2 or not kappa > 0:
        raise InputError(
            f"a von Mises-Fisher density needs two dimensions and a kappa above 0, not {dim}, {kappa:g}"
        )
    order = dim / 2 - 1
    k = torch.arange(int(kappa) + 60, dtype=torch.float64)  # terms fall from k = kappa / 2 on at the latest
    terms = 2 * k * math.log(kappa / 2) - torch.lgamma(k + 1) - torch.lgamma(k + order + 1)
    bessel = order * math.log(kappa / 2) + float(terms.logsumexp(0))
    return order * math.log(kappa) - dim / 2 * math.log(2 * math.pi) - bessel


@full_precision
def vmf_entropy(
    z: Float[Tensor, "batch dim"], kappa: float = 10.0, estimator: Estimator = "plug-in"
) -> Float[Tensor, ""]:
    r"""Entropy of directions by a von Mises-Fisher kernel density estimate (Rodriguez-Galvez et al. 2023,
    arXiv:2307.10907, section 4).

        p_i = (1/B) sum_j C exp(kappa u_i . u_j),   u = z / ||z||, j = i included
        joe      H = - (1/B) sum_i log p_i                       (Joe 1989)
        plug-in  H = - sum_i w_i log p_i,   w_i = p_i / sum_j p_j

    Differential entropies: ``log(4 pi)`` for uniform directions in three dimensions, and comparable only for one
    ``dim`` and ``kappa``. Pairs are summed in blocks.

    Raises:
        InputError: for fewer than two samples or dimensions, or a kappa outside 0 to 600.
    """
    batch, dim = z.shape
    if batch < 2:
        raise InputError(f"vmf_entropy compares samples; this batch has {batch} and needs two or more")
    if estimator not in ("plug-in", "joe"):
        raise InputError(f"the estimator of an entropy is plug-in or joe, not {estimator}")
    u = F.normalize(z, dim=-1)
    itself = torch.full((), kappa, dtype=u.dtype, device=u.device)
    log_sum = torch.logaddexp(logsumexp_of_others(u, kappa), itself)
    log_p = log_sum + (vmf_log_constant(dim, kappa) - math.log(batch))
    if estimator == "joe":
        return -log_p.mean()
    return -(log_p.softmax(0) * log_p).sum()


@full_precision
def er_sphere(
    prediction: Float[Tensor, "views batch dim"],
    target: Float[Tensor, "views batch dim"],
    spread: Float[Tensor, "views batch dim"],
    kappa: float = 10.0,
    estimator: Estimator = "plug-in",
) -> dict[str, Float[Tensor, ""]]:
    r"""The entropy-reconstruction bound on directions (Rodriguez-Galvez et al. 2023, arXiv:2307.10907).

        I(Z1; Z2) >= H + R,   L = -(H + R)
        R = mean over samples and ordered pairs of views v != w of  kappa cos(prediction_v, target_w) + log C
        H = mean over views of vmf_entropy(spread_v)

    With one tensor for all three, and Joe's estimator, this is InfoNCE at the temperature ``1 / kappa`` whose
    candidates are the batch of the same view, the anchor itself included, less ``log B``. The gradient goes wherever
    the caller lets it; an entropy of what has none does nothing.

    Returns:
        ``entropy`` and ``reconstruction``, each with a minus; their sum is the loss.

    Raises:
        InputError: for a single view or sample, or a kappa outside 0 to 600.
    """
    views, _, dim = prediction.shape
    if views < 2:
        raise InputError("er_sphere rebuilds one view from another; this batch has one view, needs two")
    p, y = F.normalize(prediction, dim=-1), F.normalize(target, dim=-1)
    cosine = torch.stack([(p * y.roll(shift, 0)).sum(-1).mean() for shift in range(1, views)]).mean()
    entropy = torch.stack([vmf_entropy(view, kappa, estimator) for view in spread]).mean()
    return {"entropy": -entropy, "reconstruction": -kappa * cosine - vmf_log_constant(dim, kappa)}


@full_precision
def er_codes(
    logits: Float[Tensor, "views batch codes"], target: Float[Tensor, "views batch codes"]
) -> dict[str, Float[Tensor, ""]]:
    r"""The entropy-reconstruction bound on codes (Rodriguez-Galvez et al. 2023, arXiv:2307.10907).

        p = softmax(logits),   t = softmax(target)
        R = mean over samples and ordered pairs of views v != w of  sum_k t_wk log p_vk
        H = mean over views of  - sum_k m_k log m_k,   m = mean_b p_b

    With the logits as their own target this is the symmetrised cross-entropy of the two views. ``H`` lies between 0
    and the logarithm of the number of codes.

    Returns:
        ``entropy`` and ``reconstruction``, each with a minus; their sum is the loss.

    Raises:
        InputError: for a single view.
    """
    views = len(logits)
    if views < 2:
        raise InputError("er_codes rebuilds one view from another; this batch has one view, needs two")
    log_p, t = logits.log_softmax(-1), target.softmax(-1)
    r = torch.stack([(t.roll(shift, 0) * log_p).sum(-1).mean() for shift in range(1, views)]).mean()
    log_mean = log_p.logsumexp(1) - math.log(log_p.shape[1])
    return {"entropy": (log_mean.exp() * log_mean).sum(-1).mean(), "reconstruction": -r}
