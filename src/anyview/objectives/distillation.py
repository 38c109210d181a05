"""Self-distillation: what a student says of one view, against what its teacher says of another."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.pairwise import sharpness
from anyview.objectives.precision import full_precision


@full_precision
def distillation(
    student: Float[Tensor, "views batch prototypes"],
    target: Float[Tensor, "targets batch prototypes"],
    temperature: float = 0.1,
) -> Float[Tensor, ""]:
    r"""The loss of DINO with several crops (Caron et al. 2021, arXiv:2104.14294, eq. 3).

        L = mean over v, w, v != w of  - sum_k target_vk log softmax(student_w / t)_k

    averaged over the batch; ``v`` runs over the views that the teacher saw, which come first among the student's
    ``w``. The paper sums over the pairs, the official code averages, as here. It is the mean entropy of the targets
    plus the divergence of the student from them, so it is no lower than that entropy.

    Args:
        student: logits.
        target: probabilities, which get no gradient.
        temperature: ``t``.

    Raises:
        InputError: for fewer than two views, more targets than views, or a temperature that is not above 0.
    """
    views, targets = len(student), len(target)
    if views < 2 or not 1 <= targets <= views:
        raise InputError(
            f"distillation compares two or more views with one target or more, no more than views; not {views} "
            f"with {targets}"
        )
    scale, target = sharpness(temperature), target.detach()
    total = target.sum(0)
    pairs, losses = targets * (views - 1), []
    for w, logits in enumerate(student):
        others = total - target[w] if w < targets else total  # a view is not compared with itself
        losses.append(_cross_entropy(logits, others, scale).mean())
    return torch.stack(losses).sum() / pairs


@full_precision
def masked_distillation(
    student: Float[Tensor, "batch masked prototypes"],
    target: Float[Tensor, "batch masked prototypes"],
    valid: Bool[Tensor, "batch masked"],
    temperature: float = 0.1,
) -> Float[Tensor, ""]:
    r"""The loss of iBOT on hidden patches (Zhou et al. 2022, arXiv:2111.07832, eq. 2).

        L = mean over samples of  (1 / M_i) sum_{j hidden in i} - sum_k target_jk log softmax(student_j / t)_k

    The student says of a hidden patch what the teacher, who sees it, says of the same patch in the same view.
    Averaged over the hidden patches of a sample, then over samples, as in the official code (the paper sums over the
    patches); a sample that hides nothing counts as zero.

    Args:
        student: logits. What stands at invalid places is not read.
        target: probabilities, which get no gradient.
        valid: False at padding.
        temperature: ``t``.

    Raises:
        InputError: for a temperature that is not above 0.
    """
    student = torch.where(valid[..., None], student, 0)
    target = torch.where(valid[..., None], target.detach(), 0)
    share = valid.to(student.dtype) / valid.sum(1, keepdim=True).clamp(min=1)
    return (_cross_entropy(student, target, sharpness(temperature)) * share).sum(1).mean()


def _cross_entropy(
    logits: Float[Tensor, "*rows prototypes"], target: Float[Tensor, "*rows prototypes"], scale: float
) -> Float[Tensor, "*rows"]:
    """``- sum_k target_k log softmax(scale logits)_k``, of targets with any sum."""
    logits = logits * scale
    return target.sum(-1) * logits.logsumexp(-1) - (target * logits).sum(-1)
