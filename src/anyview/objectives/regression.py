"""Regression objectives: predict the embedding of another view."""

import torch.nn.functional as F
from jaxtyping import Float
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
