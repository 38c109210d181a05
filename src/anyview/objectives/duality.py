"""Repulsion between samples or between dimensions: one family, from SimCLR to VICReg."""

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError, unknown
from anyview.objectives.pairwise import in_blocks, sharpness
from anyview.objectives.precision import full_precision
from anyview.objectives.variance import between_views, squared_off_diagonal

Axis = Literal["samples", "dimensions"]
Kernel = Literal["square", "abs", "exp", "exp_square", "exp_abs"]
Normalise = Literal["cosine", "centre"]
#: what stands in the exponential, or is summed
BEND: dict[str, Callable[[Tensor], Tensor]] = {
    "square": torch.square,
    "abs": torch.abs,
    "exp": torch.clone,
    "exp_square": torch.square,
    "exp_abs": torch.abs,
}


@full_precision
def repulsion(
    x: Float[Tensor, "sets rows entries"],
    kernel: Kernel = "square",
    temperature: float = 1.0,
    period: int | None = None,
) -> Float[Tensor, "sets"]:
    r"""How much the rows of each set resemble each other, by their products ``s_ij = x_i . x_j``.

        square, abs               (1/n) sum_i sum_{j != i} f(s_ij),            f(s) = s^2 or |s|
        exp, exp_square, exp_abs  (1/n) sum_i log sum_{j != i} exp(f(s_ij) / t),   f(s) = s, s^2 or |s|

    over ``n`` rows. Rows are samples (contrastive) or, of the transposed batch, dimensions (non-contrastive); what is
    done to them before (unit length, centring) is the caller's. In blocks of rows: no ``n x n`` is held.

    Args:
        period: rows that are a multiple of it apart are no pair, as views of one sample; None leaves out only a row
            and itself.

    Raises:
        InputError: for an unknown kernel, a temperature that is not above 0, or fewer than two rows to compare.
    """
    if kernel not in BEND:
        raise unknown("kernel", kernel, BEND)
    rows = x.shape[1]
    period = rows if period is None else period
    if period < 2:
        raise InputError(f"repulsion compares rows; {rows} in groups of {period} leaves none to compare")
    if kernel == "square" and period == rows:
        return squared_off_diagonal(x.mT) / rows
    scale, bend, sums = sharpness(temperature), BEND[kernel], not kernel.startswith("exp")

    def one(whole: Tensor) -> Tensor:
        place = torch.arange(rows, device=x.device)

        def work(part: Tensor, start: int) -> tuple[Tensor]:
            s = bend(part @ whole.T)
            pair = (place[start : start + len(part), None] - place) % period != 0
            if sums:
                return (torch.where(pair, s, 0.0).sum(1),)
            return ((scale * s).masked_fill(~pair, -torch.inf).logsumexp(1),)

        return torch.cat([part for (part,) in in_blocks(work, whole, rows)]).mean()

    return torch.stack([one(whole) for whole in x])


@full_precision
def dual(
    z: Float[Tensor, "views batch dim"],
    axis: Axis = "samples",
    kernel: Kernel = "exp",
    normalise: Normalise = "centre",
    temperature: float = 0.1,
    coupled: bool = True,
    invariance: float | None = None,
    variance: float = 25.0,
    weight: float = 1.0,
    eps: float = 1e-4,
) -> dict[str, Float[Tensor, ""]]:
    r"""The family of Garrido et al. (2023, arXiv:2206.02574, section 4 and appendices), as one loss.

    With ``axis`` the rows are the samples of a view, or its dimensions (the batch transposed). ``cosine`` scales rows
    to unit length and attracts by the kernel's own ``f`` (see ``repulsion``):

        L = - (invariance / t) mean_{i, v != w} f(s_iv,iw) + weight repulsion(rows of all views)

    ``centre`` shifts each row to mean 0 and divides by ``sqrt(entries - 1)``, so that products are covariances:

        L = invariance mean (Z_v - Z_w)^2 + variance mean_i max(0, 1 - sqrt(Var(row_i) + eps)) + 2 weight repulsion

    the repulsion within a view, averaged over the views. There is no variance term beside unit rows, which cannot
    vanish. Its members:

        SimCLR, SimCLR-sq, SimCLR-abs   samples, exp / exp_square / exp_abs, cosine, coupled
        DCL, DCL-sq, DCL-abs            the same, not coupled
        VICReg                          dimensions, square, centre
        VICReg-exp                      dimensions, exp, centre
        VICReg-ctr                      samples, exp, centre

    Squared or absolute cosines take opposite embeddings for similar ones, by design.

    Args:
        z: embeddings, not normalised.
        axis: what repels each other: ``samples`` or ``dimensions``.
        kernel: of the repulsion.
        normalise: ``cosine`` or ``centre``.
        temperature: of the exponential kernels; it is not read by the others.
        coupled: with ``cosine``, whether the positive also stands among those that repel.
        invariance: weight of the attraction; None is 1 for ``cosine`` and VICReg's 25 for ``centre``.
        variance: weight of the hinge.
        weight: of the repulsion.

    Returns:
        The weighted terms by name; their sum is the loss.

    Raises:
        InputError: for a single view or fewer than two rows or entries, an unknown choice, or a temperature that is
            not above 0.
    """
    if axis not in ("samples", "dimensions"):
        raise unknown("axis", axis, ("samples", "dimensions"))
    if normalise not in ("cosine", "centre"):
        raise unknown("normalise", normalise, ("cosine", "centre"))
    if kernel not in BEND:
        raise unknown("kernel", kernel, BEND)
    views, rows, entries = z.shape if axis == "samples" else z.mT.shape
    if min(views, rows, entries) < 2:
        raise InputError(
            f"dual needs two views, samples and dimensions or more, not {views} of {z.shape[1]} in {z.shape[2]}"
        )
    x = z if axis == "samples" else z.mT
    if normalise == "cosine":
        scale = sharpness(temperature) if kernel.startswith("exp") else 1.0
        bend = BEND[kernel] if kernel.startswith("exp") else torch.clone
        u = F.normalize(x, dim=-1)
        near = torch.stack([bend((u * u.roll(shift, 0)).sum(-1)).mean() for shift in range(1, views)])
        apart = repulsion(u.flatten(0, 1)[None], kernel, temperature, None if coupled else rows)[0]
        attraction = 1.0 if invariance is None else invariance
        return {"invariance": -attraction * scale * near.mean(), "repulsion": weight * apart}
    centred = (x - x.mean(2, keepdim=True)) / math.sqrt(entries - 1)
    std = (centred.square().sum(2) + eps).sqrt()
    attraction = 25.0 if invariance is None else invariance
    return {
        "invariance": attraction * between_views(z).mean(),
        "variance": variance * (1 - std).relu().mean(),
        "repulsion": 2 * weight * repulsion(centred, kernel, temperature).mean(),
    }
