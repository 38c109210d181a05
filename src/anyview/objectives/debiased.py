"""Contrast corrected for negatives that are of the anchor's own class."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.pairwise import logsumexp_of_others, sharpness
from anyview.objectives.precision import full_precision


@full_precision
def debiased_nce(
    z: Float[Tensor, "views batch dim"], temperature: float = 0.5, prior: float = 0.1
) -> Float[Tensor, ""]:
    r"""The debiased contrastive loss (Chuang et al. 2020, arXiv:2007.00224, eq. 8).

    Negatives are drawn from all classes, so a share ``tau`` of them are of the anchor's own. With ``s`` cosines
    over the temperature ``t``, ``u`` the ``N = views (B - 1)`` views of other samples and ``v`` the
    ``M = views - 1`` other views of the anchor's sample, the mean over true negatives is estimated by

        g = max( ( mean_u exp(s_u) - tau mean_v exp(s_v) ) / (1 - tau),  exp(-1/t) )

    and the term of an anchor and a positive is ``-log( exp(s_+) / (exp(s_+) + N g) )``; the loss is the mean over
    anchors and positives. The bound is the least that ``exp(s)`` can be, and comes before the factor ``N``. With
    ``tau = 0`` and two views this is NT-Xent; with more views NT-Xent also has the other positives in its
    denominator, this has not.

    Normalises inside; no matrix of all pairs is held. Sums are over other samples only, so nothing is lost by
    taking a positive out of a sum again.

    Args:
        z: projections, any length.
        temperature: 0.5 in the paper.
        prior: ``tau``, how likely two samples are of one class; one over the number of classes is a guide, and
            0.1 the paper's for CIFAR-10.

    Raises:
        InputError: for a single view or sample, a temperature that is not above 1/600, or a prior outside 0 to 1.
    """
    positive, estimate, floor = true_negatives(z, temperature, prior)
    negatives = len(z) * (z.shape[1] - 1)
    log_sum = math.log(negatives) + estimate.clamp(min=floor)
    return F.softplus(log_sum - positive).mean()


@full_precision
def true_negatives(
    z: Float[Tensor, "views batch dim"], temperature: float = 0.5, prior: float = 0.1
) -> tuple[Float[Tensor, "positives views batch"], Float[Tensor, "views batch"], float]:
    """``(s of every anchor and positive, log of the estimate before its bound, log of the bound)``, as
    ``debiased_nce`` has them. The estimate is ``-inf`` where what is taken away is more than what is there."""
    views, batch, _ = z.shape
    if views < 2 or batch < 2:
        raise InputError(
            f"debiased contrast needs two or more views of two or more samples, not {views} of {batch}"
        )
    if not 0 <= prior < 1:
        raise InputError(f"the prior of a class is a share from 0 up to below 1, not {prior:g}")
    scale = sharpness(temperature)
    u = F.normalize(z, dim=-1)
    positive = scale * torch.stack([(u * u.roll(shift, 0)).sum(-1) for shift in range(1, views)])
    others = logsumexp_of_others(u.flatten(0, 1), scale, samples=batch).view(views, batch)
    mean = others - math.log(views * (batch - 1))
    if not prior:
        return positive, mean, -scale
    # log(e^mean - tau e^own) = mean + log(1 - e^(log tau + own - mean)), kept off log 0 and overflow, as both
    # would turn gradients that are not wanted into NaN
    own = positive.logsumexp(0) - math.log(views - 1)
    share = torch.exp((math.log(prior) + own - mean).clamp(max=1.0))
    some = share < 1
    left = torch.where(some, share, 0.5)
    estimate = torch.where(some, mean + torch.log1p(-left), -torch.inf) - math.log1p(-prior)
    return positive, estimate, -scale
