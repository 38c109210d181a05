"""Classification where every sample is a class of its own."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.pairwise import logsumexp_over
from anyview.objectives.precision import full_precision


@full_precision
def index_cross_entropy(
    h: Float[Tensor, "views batch dim"],
    weight: Float[Tensor, "samples dim"],
    index: Int[Tensor, "batch"],
    smoothing: float = 0.8,
) -> Float[Tensor, ""]:
    r"""Cross-entropy of a linear classifier whose classes are the samples themselves (DIET, Ibrahim et al. 2024,
    arXiv:2406.10743), with smoothed labels.

        L = - mean_i sum_k q_ik log softmax_k(w_k . h_i),   q_ik = (1 - a) [k = i] + a / N

    over all views of all samples of the batch; ``N`` is the number of samples, ``a`` the smoothing. It is ``log N``
    where all logits are equal. With rows of unit length over a temperature, features of unit length and no
    smoothing it is the parametric instance discrimination of Exemplar-CNN and its kin.

    The logits are held a block of rows at a time; the smoothed part needs only the mean of the weights.

    Args:
        h: features, not normalised.
        weight: a row for each sample; there is no bias.
        index: which sample each of the batch is.
        smoothing: ``a``; 0.8 in the paper.

    Raises:
        InputError: for a smoothing outside 0 to 1.
    """
    if not 0 <= smoothing < 1:
        raise InputError(f"label smoothing is a share from 0 up to below 1, not {smoothing:g}")
    weight = weight.to(h)
    everything = logsumexp_over(h.flatten(0, 1), weight, 1.0).view(h.shape[:2])
    wanted = (1 - smoothing) * (h * weight[index]).sum(-1)
    if smoothing:
        wanted = wanted + smoothing * (h @ weight.mean(0))
    return torch.mean(everything - wanted)
