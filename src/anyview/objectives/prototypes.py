"""Agreement with labels that come of clusters, hard or soft, and an even use of the clusters."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.pairwise import sharpness
from anyview.objectives.precision import full_precision
from anyview.objectives.transport import sinkhorn


@full_precision
def labelled(
    logits: Float[Tensor, "*rows clusters"], label: Int64[Tensor, "*rows"], temperature: float = 1.0
) -> Float[Tensor, ""]:
    r"""Cross-entropy with labels that a method gave itself: DeepCluster's, SeLa's (Asano et al. 2020, arXiv:1911.05371,
    eq. 1) and ClusterFit's loss.

        L = - mean over all rows of  log softmax(logits / t)_label

    Args:
        logits: in any number of views and clusterings.
        label: of the same shape.
        temperature: ``t``; 0.1 with cosines in DeepCluster v2.

    Raises:
        InputError: for a temperature that is not above 0.
    """
    return F.cross_entropy(sharpness(temperature) * logits.flatten(0, -2), label.flatten())


@full_precision
def msn(
    anchor: Float[Tensor, "anchors batch prototypes"],
    target: Float[Tensor, "batch prototypes"],
    temperature: float = 0.1,
    sharpen: float = 0.25,
    spread: float = 1.0,
    iterations: int = 0,
) -> dict[str, Float[Tensor, ""]]:
    r"""The loss of MSN (Assran et al. 2022, arXiv:2204.07141, eq. 1 and 2).

        p = softmax(anchor / t),   q = sharpened(softmax(target / t))
        L = - mean over anchors and samples of  sum_k q_k log p_k  +  spread (log K - H(m)),   m = mean of all p

    Targets are sharpened, anchors are not; the mean entropy ``H`` is of the anchors, as targets have no gradient. Its
    term is 0 when all prototypes are used alike and ``log K`` when one is, as in the official code. In logarithms, so
    that a prototype that is never used is no logarithm of 0.

    Args:
        anchor: cosines with the prototypes, of any number of views.
        target: those of the view they are compared with.
        temperature: ``t`` of both.
        sharpen: see ``sharpened``.
        spread: weight of the mean entropy.
        iterations: turns of ``sinkhorn`` on the sharpened targets; 3 in the official configuration.

    Returns:
        The two weighted terms by name; their sum is the loss.

    Raises:
        InputError: for a temperature or a ``sharpen`` that is not above 0.
    """
    log_p = (anchor * sharpness(temperature)).log_softmax(-1)
    q = sharpened(target.detach() * sharpness(temperature), sharpen, iterations)
    log_mean = log_p.flatten(0, 1).logsumexp(0) - math.log(log_p.shape[0] * log_p.shape[1])
    uneven = math.log(log_p.shape[-1]) + (log_mean.exp() * log_mean).sum()
    return {"agreement": -(q * log_p).sum(-1).mean(), "spread": spread * uneven}


@torch.no_grad()
def sharpened(
    logits: Float[Tensor, "batch prototypes"], sharpen: float = 0.25, iterations: int = 0
) -> Float[Tensor, "batch prototypes"]:
    r"""The targets of MSN: ``p^(1/T) / sum p^(1/T)`` of ``p = softmax(logits)``, and then, with ``iterations``, so many
    turns of ``sinkhorn`` towards an even use of prototypes. ``T = 1`` changes nothing. No gradient.

    Raises:
        InputError: for a ``sharpen`` (``T``) that is not above 0.
    """
    if not sharpen > 0:
        raise InputError(f"sharpen is a temperature above 0; it is {sharpen:g}")
    log_q = (logits / sharpen).log_softmax(-1)
    return sinkhorn(log_q, epsilon=1.0, iterations=iterations)
