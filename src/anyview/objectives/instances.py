"""Agreement between samples' predictions and targets: rows of a batch are told apart, not dimensions."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.objectives.precision import full_precision


@full_precision
def instance_barlow(
    prediction: Float[Tensor, "targets batch dim"],
    target: Float[Tensor, "targets batch dim"],
    lambd: float = 0.01,
) -> Float[Tensor, ""]:
    r"""The loss of LFR (Sui et al. 2023, arXiv:2310.07756), Barlow Twins' along the batch instead of the features.

        L = (1/K) sum_k [ sum_i (1 - C_ii)^2 + lambd sum_{i != j} C_ij^2 ],
        C_ij = cos(prediction_k of sample i, target_k of sample j)

    Summed over the batch, not averaged: it grows with the batch. Scaling any row of either side by a positive
    number changes nothing. It is 0 only if every prediction is its target up to scale and the targets of
    different samples are orthogonal. No gradient reaches the target.

    The sum of all squares is taken through the smaller of ``B x B`` and ``dim x dim``:
    ``|| P T' ||^2 = <P' P, T' T>``.

    Args:
        prediction: of K targets, any length.
        target: alike.
        lambd: weight of the pairs of different samples.
    """
    p, t = F.normalize(prediction, dim=-1), F.normalize(target.detach(), dim=-1)
    diagonal = (p * t).sum(-1)
    if p.shape[1] <= p.shape[2]:
        squares = (p @ t.mT).square().sum((1, 2))
    else:
        squares = ((p.mT @ p) * (t.mT @ t)).sum((1, 2))
    # rounding may leave the difference a little below zero
    off = (squares - diagonal.square().sum(1)).clamp(min=0)
    return torch.mean((1 - diagonal).square().sum(1) + lambd * off)
