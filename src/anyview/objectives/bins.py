"""Distributions over the bins of a parameter from 0 to 1, and how far one is from another."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.contrastive import nt_xent
from anyview.objectives.precision import full_precision

FINE = 100  #: points of a bin that its density is summed over


@torch.no_grad()
def binned(
    parameter: Float[Tensor, "*batch"], bins: int, *, cyclic: bool = False, spread: float | None = None
) -> Float[Tensor, "*batch {bins}"]:
    r"""Logarithms of the shares of ``bins`` equal bins of [0, 1] in a density about each parameter (DUET, Suau et al.
    2023, arXiv:2306.16058, section 3.2).

        bounded   exp( - (u - g)^2 / (2 spread^2) ),        spread 0.2       (Gaussian, cut off at 0 and 1)
        cyclic    exp( spread cos( 2 pi (u - g) ) ),        spread 3         (von Mises: 0 and 1 are the same)

    summed over 100 points of each bin and scaled to 1. For a cyclic parameter ``spread`` so is a concentration.

    Raises:
        InputError: for no bins or a spread that is not above 0.
    """
    spread = (3.0 if cyclic else 0.2) if spread is None else spread
    if bins < 1 or not spread > 0:
        raise InputError(f"a parameter has 1 bin or more and a spread above 0, not {bins} and {spread:g}")
    points = (torch.arange(bins * FINE, device=parameter.device, dtype=parameter.dtype) + 0.5) / (bins * FINE)
    away = points - parameter[..., None]
    density = spread * (2 * math.pi * away).cos() if cyclic else -away.square() / (2 * spread**2)
    return density.unflatten(-1, (bins, FINE)).logsumexp(-1).log_softmax(-1)


def jensen_shannon(
    log_p: Float[Tensor, "*batch bins"], log_q: Float[Tensor, "*batch bins"]
) -> Float[Tensor, "*batch"]:
    r"""``1/2 KL(p || m) + 1/2 KL(q || m)`` with ``m = (p + q) / 2``, of distributions given by their logarithms.

    From 0, when they are equal, to ``log 2``, when no bin is in both.
    """
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    p, q = log_p.exp(), log_q.exp()
    return 0.5 * (p * (log_p - log_m) + q * (log_q - log_m)).sum(-1)


@full_precision
def duet(
    z: Float[Tensor, "views batch dim"],
    marginal: Float[Tensor, "views batch bins"],
    parameter: Float[Tensor, "views batch"],
    *,
    cyclic: bool = False,
    spread: float | None = None,
    temperature: float = 0.1,
    weight: float = 10.0,
) -> dict[str, Float[Tensor, ""]]:
    r"""DUET (Suau et al. 2023, arXiv:2306.16058, section 3.3).

        L = NT-Xent(z; t) + weight mean over views and samples of  JSD( softmax(marginal), binned(parameter) )

    Args:
        z: projections of the content, any length.
        marginal: logits of the bins: the mean over content first, then the softmax.
        parameter: what was done to each view, from 0 to 1; it is a target and has no gradient.
        cyclic, spread: see ``binned``.

    Returns:
        The two weighted terms by name; their sum is the loss.

    Raises:
        InputError: for a single view, or a temperature that is not above 1/600.
    """
    aim = binned(parameter.to(marginal), marginal.shape[-1], cyclic=cyclic, spread=spread)
    group = jensen_shannon(marginal.log_softmax(-1), aim).mean()
    return {"content": nt_xent(z, temperature), "group": weight * group}
