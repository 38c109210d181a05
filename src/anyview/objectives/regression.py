"""Regression objectives: predict the embedding of another view, or of hidden tokens."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.precision import full_precision


@full_precision
def cosine_regression(
    prediction: Float[Tensor, "views batch dim"], target: Float[Tensor, "views batch dim"]
) -> Float[Tensor, ""]:
    r"""The loss of BYOL (Grill et al. 2020, arXiv:2006.07733, eq. 2 and section 3.1), symmetrised.

    With ``q_v`` the normalised prediction from view ``v`` and ``y_w`` the normalised target of view ``w``,

        L(v, w) = || q_v - sg(y_w) ||^2 = 2 - 2 cos(prediction_v, target_w)

    averaged over the batch. Two views: ``L(1, 2) + L(2, 1)``, the paper's sum. More views: the sum over
    ``v`` of the mean over the other views ``w``. The value lies in ``[0, 4 views]``; no gradient reaches the
    target.

    Raises:
        InputError: for a single view.
    """
    views = len(prediction)
    if views < 2:
        raise InputError(
            "cosine_regression predicts one view from another; this batch has one view, needs two"
        )
    q, y = F.normalize(prediction, dim=-1), F.normalize(target.detach(), dim=-1)
    # rolling the targets by 1 ... views - 1 pairs each view with every other one; squared distances keep
    # their precision near zero, where 2 - 2 cos does not
    distances = [(q - y.roll(shift, 0)).square().sum(-1).mean(1).sum() for shift in range(1, views)]
    return sum(distances[1:], distances[0]) / (views - 1)


@full_precision
def negative_cosine(
    prediction: Float[Tensor, "views batch dim"],
    target: Float[Tensor, "views batch dim"],
    stop_gradient: bool = True,
) -> Float[Tensor, ""]:
    r"""The loss of SimSiam (Chen and He 2021, arXiv:2011.10566, eq. 1 to 4).

    With ``p_v`` the prediction from view ``v`` and ``z_w`` the projection of view ``w``,

        L = mean over ordered pairs of views v != w of  -cos(p_v, sg(z_w))

    averaged over the batch; two views give the paper's ``D(p1, sg(z2)) / 2 + D(p2, sg(z1)) / 2``. The value lies
    in ``[-1, 1]``. Up to scale and a constant it is ``cosine_regression``.

    Args:
        stop_gradient: whether the target gets none; without, the system collapses (section 4.1).

    Raises:
        InputError: for a single view.
    """
    views = len(prediction)
    if views < 2:
        raise InputError("negative_cosine predicts one view from another; this batch has one view, needs two")
    p, z = F.normalize(prediction, dim=-1), F.normalize(target.detach() if stop_gradient else target, dim=-1)
    return -torch.stack([(p * z.roll(shift, 0)).sum(-1).mean() for shift in range(1, views)]).mean()


@full_precision
def masked_smooth_l1(
    prediction: Float[Tensor, "batch masked dim"],
    target: Float[Tensor, "batch masked dim"],
    valid: Bool[Tensor, "batch masked"],
    beta: float = 2.0,
) -> Float[Tensor, ""]:
    r"""The loss of data2vec (Baevski et al. 2022, arXiv:2202.03555, section 3.4) on hidden tokens.

    With ``u = prediction - target`` of one value,

        0.5 u^2 / beta  where |u| <= beta,  |u| - 0.5 beta  beyond it;  u^2 with beta 0 (section 4.2)

    averaged over the values of a token, the valid masked tokens of a sample, and the samples. (The official
    code sums over the values and divides by the root of their number, which an adaptive optimiser does not
    notice.) A sample without a valid masked token counts as zero. No gradient reaches the target.

    Args:
        prediction: one vector for each hidden token.
        target: what the teacher says of it. What stands at invalid places is not read.
        valid: False at padding.
        beta: where the loss goes from squared to absolute; 2 for images and 4 for text in the paper, 0 for
            speech, which means squared throughout.

    Raises:
        InputError: for a beta below 0.
    """
    if beta < 0:
        raise InputError(f"beta is {beta:g}; it can be 0 (squared error) or more")
    prediction = torch.where(valid[..., None], prediction, 0)
    target = torch.where(valid[..., None], target.detach(), 0).to(prediction.dtype)
    if beta:
        error = F.smooth_l1_loss(prediction, target, reduction="none", beta=beta)
    else:
        error = (prediction - target).square()
    share = valid.to(error.dtype) / valid.sum(1, keepdim=True).clamp(min=1)
    return (error.mean(-1) * share).sum(1).mean()
