"""Contrast with classes: all samples of one class are views of each other."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.pairwise import in_blocks, logsumexp_of_others, sharpness
from anyview.objectives.precision import full_precision


@full_precision
def supcon(
    z: Float[Tensor, "views batch dim"],
    labels: Int[Tensor, "batch"] | None = None,
    mask: Bool[Tensor, "batch batch"] | Float[Tensor, "batch batch"] | None = None,
    temperature: float = 0.1,
    inside: bool = False,
) -> Float[Tensor, ""]:
    r"""The supervised contrastive loss (Khosla et al. 2020, arXiv:2004.11362, eq. 2 and 3).

    With ``s_ik`` the cosine of two of the ``N = views * batch`` embeddings, ``A(i)`` all of them but ``i`` and
    ``P(i)`` those in ``A(i)`` of the class of ``i``, its own other views included, the term of an anchor is

        L_out:  -(1/|P(i)|) sum_{p in P(i)} log( exp(s_ip / t) / sum_{a in A(i)} exp(s_ia / t) )
        L_in:   -log( (1/|P(i)|) sum_{p in P(i)} exp(s_ip / t) / sum_{a in A(i)} exp(s_ia / t) )

    averaged over all anchors (the paper's is the sum); an anchor without a positive counts as 0. ``L_in`` is at
    most ``L_out`` (Jensen), and worse to train by: its gradient lacks the share ``1/|P(i)|`` (section 3.2.1). When
    every sample is a class of its own, ``L_out`` is NT-Xent. The official code multiplies by ``t`` over a base
    temperature of 0.07, which only scales the learning rate; this does not.

    Normalises inside. No matrix of all pairs is held: the positives of ``L_out`` are sums over classes, those of
    ``L_in`` are taken a block of rows at a time. A mask of course has a number for each pair of samples.

    Args:
        z: projections of any number of views, also one.
        labels: classes. One below 0 means unknown: such a sample has its own views as positives.
        mask: instead of labels, which sample is how positive to which (row: anchor): False and True, or weights
            of 0 or more. The diagonal stands for the other views of the anchor's sample.
        temperature: 0.1 in the paper.
        inside: ``L_in`` instead of ``L_out``.

    Raises:
        InputError: unless either labels or a mask are given, for a single embedding, or for a temperature that is
            not above 1/600.
    """
    if (labels is None) == (mask is None):
        raise InputError("supcon wants either labels or a mask of positives")
    scale = sharpness(temperature)
    views, batch, _ = z.shape
    if views * batch < 2:
        raise InputError("supcon compares embeddings with each other and was given one")
    u = F.normalize(z, dim=-1)
    if labels is not None:
        unknown = labels.max().clamp(min=0) + 1 + torch.arange(batch, device=labels.device)
        classes = torch.where(labels < 0, unknown, labels).unique(return_inverse=True)[1]
        total = u.new_zeros(batch, u.shape[2]).index_add_(0, classes, u.sum(0))[classes]
        number = views * classes.bincount(minlength=batch)[classes] - 1
        itself = u.new_ones(batch)
    else:
        assert mask is not None
        weights = mask.to(u)
        total, number = weights @ u.sum(0), views * weights.sum(1) - weights.diagonal()
        itself = weights.diagonal()
    number = number.to(u)
    some = number > 0
    everything = logsumexp_of_others(u.flatten(0, 1), scale).view(views, batch)
    if inside:

        def positives(rows: Tensor, start: int) -> tuple[Tensor]:
            place = torch.arange(start, start + len(rows), device=u.device)
            row, column = place % batch, torch.arange(views * batch, device=u.device)
            if labels is not None:
                wanted = (classes[row, None] == classes[column % batch]).to(u)
            else:
                wanted = weights[row][:, column % batch]
            wanted = wanted.masked_fill(place[:, None] == column, 0)
            # rows without a positive get one here and are left out below, since log 0 has no gradient
            wanted = torch.where(some[row, None], wanted, 1.0)
            return ((scale * rows @ u.flatten(0, 1).T + wanted.log()).logsumexp(1),)

        found = in_blocks(positives, u.flatten(0, 1), views * batch)
        positive = torch.cat([part for (part,) in found]).view(views, batch) - number.clamp(min=1e-30).log()
    else:
        own = itself * u.square().sum(-1)
        positive = scale * ((u * total).sum(-1) - own) / torch.where(some, number, 1.0)
    return torch.where(some, everything - positive, 0.0).mean()
