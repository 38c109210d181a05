"""Objectives for pairs of two kinds (an image and its caption): find the other half among all other halves."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from anyview.errors import InputError
from anyview.objectives.pairwise import BLOCK, ROWS, in_blocks
from anyview.objectives.precision import full_precision


@full_precision
def pair_nce(
    z: Float[Tensor, "2 batch dim"], scale: Float[Tensor, ""], smoothing: float = 0.0
) -> dict[str, Float[Tensor, ""]]:
    r"""The symmetric softmax contrast of CLIP (Radford et al. 2021, arXiv:2103.00020, figure 3) and, with label
    smoothing, ALIGN (Jia et al. 2021, arXiv:2102.05918, equations 1 and 2).

    With ``x, y`` the normalised halves of ``B`` pairs and ``s`` the scale (one over the temperature),

        there = -(1/B) sum_i sum_j q_ij log softmax_j(s x_i . y_j),   back: the same with x and y swapped

    where ``q_ij = (1 - e) [i = j] + e / B`` and ``e`` is the smoothing. CLIP takes the mean of the two, ALIGN
    their sum. Equal embeddings give ``log B`` each; a single pair gives 0.

    Normalises inside. The similarities are held a block of rows at a time and computed again in the backward
    pass: memory grows with ``B``, not ``B^2``.

    Args:
        z: the first halves and the second, in the same order, any length.
        scale: what cosines are multiplied by.
        smoothing: share of the target that is spread over the batch; 0.1 in ALIGN.

    Raises:
        InputError: for a smoothing outside 0 to 1.
    """
    if not 0 <= smoothing < 1:
        raise InputError(f"label smoothing is a share from 0 up to below 1, not {smoothing:g}")
    x, y = F.normalize(z, dim=-1)
    scale = scale.to(x)

    def sums(part: Tensor, start: int) -> tuple[Tensor, Tensor]:
        logits = scale * part @ y.T
        return logits.logsumexp(1), logits.logsumexp(0)

    rows, columns = zip(*in_blocks(sums, x, len(y)))
    matched = scale * (x * y).sum(1)
    wanted = matched
    if smoothing:  # the mean logit of a row is that with the mean of all columns
        spread = torch.stack([x @ y.mean(0), y @ x.mean(0)]) * scale
        wanted = (1 - smoothing) * matched + smoothing * spread
    lse = torch.stack([torch.cat(rows), torch.stack(columns).logsumexp(0)])
    there, back = (lse - wanted).mean(1)
    return {"there": there, "back": back}


@full_precision
def pair_sigmoid(
    z: Float[Tensor, "2 batch dim"], scale: Float[Tensor, ""], bias: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    r"""The sigmoid loss of SigLIP (Zhai et al. 2023, arXiv:2303.15343, equation 1): is this a pair, yes or no?

        L = -(1/B) sum_i sum_j log sigmoid( z_ij (t x_i . y_j + b) ),   z_ij = 2 [i = j] - 1

    over the normalised halves ``x, y`` of ``B`` pairs. Divided by ``B``, not by the number of decisions. No row
    is normalised by others, so it is summed block by block (section 3.3), its gradient with it: memory grows with
    ``B``, not ``B^2``.

    Args:
        z: the first halves and the second, in the same order, any length.
        scale: ``t``, what cosines are multiplied by.
        bias: ``b``; far below 0 at the start, since nearly all of the decisions are no.
    """
    x, y = F.normalize(z, dim=-1)
    return _SigmoidOfPairs.apply(x, y, scale.to(x), bias.to(x)) / len(x)


class _SigmoidOfPairs(torch.autograd.Function):
    """The sum over all pairs, with its gradient made in the same pass: it needs no sum over others, so each block of
    logits is visited once and forgotten."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        total, slope = x.new_zeros(()), x.new_zeros(())
        gx, gy = torch.empty_like(x), torch.zeros_like(y)
        rows = max(ROWS, BLOCK // len(y))
        for start in range(0, len(x), rows):
            part = x[start : start + rows]
            logits = torch.addmm(bias, part, y.T, alpha=float(scale))
            # as if all were no pairs: -log sigmoid(-z) = softplus(z), and for those that are it is less by z
            total = total + F.softplus(logits).sum() - logits.diagonal(start).sum()
            grad = logits.sigmoid_()
            grad.diagonal(start).sub_(1)
            slope = slope + grad.sum()
            torch.mm(grad, y, out=gx[start : start + rows])
            gy.addmm_(grad.T, part)
        ctx.save_for_backward(x, gx, gy, scale, slope)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        x, gx, gy, scale, slope = ctx.saved_tensors
        return grad * scale * gx, grad * scale * gy, grad * (gx * x).sum(), grad * slope
