"""Reconstruction objectives: say what stood where the mask is."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.precision import full_precision


@full_precision
def masked_reconstruction(
    prediction: Float[Tensor, "batch masked size"],
    target: Float[Tensor, "batch masked size"] | Int[Tensor, "batch masked"],
    valid: Bool[Tensor, "batch masked"],
    normalise: bool = False,
    kind: Literal["continuous", "categorical"] = "continuous",
    error: Literal["squared", "absolute"] = "squared",
) -> Float[Tensor, ""]:
    r"""Error of the reconstruction of masked tokens, as in MAE (He et al. 2022, arXiv:2111.06377, section 3).

    Continuous targets: squared error, averaged over the values of a token. Categorical targets: cross-entropy
    of the predicted logits. Either is averaged over the valid masked tokens of a sample, then over samples.

    The official code averages over all masked tokens of a batch at once. That is the same number when every
    sample has as many of them, as images do. For ragged samples, only a mean over samples makes parts of a
    batch (processes, accumulation) average to the whole batch, and keeps a long sample from outweighing the
    others. A sample without a valid masked token counts as zero.

    Args:
        prediction: values, or logits of ``size`` classes.
        target: values (continuous) or class numbers (categorical). What stands at invalid places is not read.
        valid: False at padding.
        normalise: compare with ``(x - mean) / sqrt(var + 1e-6)`` of each token (MAE, section 4: "normalized
            pixels"; unbiased variance as in the official code).
        error: of continuous targets: ``absolute`` is SimMIM's (Xie et al. 2022, arXiv:2111.09886, section 3.4)
            and SiT's L1, also averaged over the values of a token.

    Raises:
        InputError: for ``normalise`` with categorical targets or with tokens of a single value.
    """
    prediction = torch.where(valid[..., None], prediction, 0)
    if kind == "categorical":
        if normalise:
            raise InputError("normalise is for continuous targets; these are categorical")
        wrong = F.cross_entropy(prediction.mT, torch.where(valid, target, 0).long(), reduction="none")
    else:
        target = torch.where(valid[..., None], target, 0).to(prediction.dtype)
        if normalise:
            target = _normalised(target)
        gap = prediction - target
        wrong = (gap.abs() if error == "absolute" else gap.square()).mean(-1)
    share = valid / valid.sum(1, keepdim=True).clamp(min=1)
    return (wrong * share).sum(1).mean()


def _normalised(target: Float[Tensor, "batch masked size"]) -> Float[Tensor, "batch masked size"]:
    if target.shape[-1] < 2:
        raise InputError(
            "normalise needs tokens of two or more values; these have one. Set normalise to false"
        )
    variance, mean = torch.var_mean(target, dim=-1, keepdim=True)
    return (target - mean) / (variance + 1e-6).sqrt()
