"""Contrastive objectives: find your other views among all views of all samples."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.pairwise import logsumexp_of_others
from anyview.objectives.precision import full_precision


@full_precision
def nt_xent(z: Float[Tensor, "views batch dim"], temperature: float = 0.5) -> Float[Tensor, ""]:
    r"""NT-Xent of SimCLR (Chen et al. 2020, arXiv:2002.05709, eq. 1 and algorithm 1).

    With ``s_ij`` the cosine of two of the ``N = views * batch`` embeddings, the term of an anchor ``i`` and a
    positive ``p`` (another view of the same sample) is

        l(i, p) = -log( exp(s_ip / t) / sum_{k != i} exp(s_ik / t) )

    and the loss is its mean over all anchors and their positives. With two views this is the paper's loss:
    the denominator has the positive and ``2 batch - 2`` negatives. With more views the denominator still
    holds everything but the anchor, its other positives included, and the term is averaged over the
    positives.

    Normalises inside. Memory grows with ``N``, not ``N^2`` (see ``pairwise``). The value is ``log(N - 1)``
    when all embeddings are equal.

    Args:
        z: projections, any length.
        temperature: 0.5 in the paper's CIFAR-10 runs, 0.1 on ImageNet.

    Raises:
        InputError: for a single view, or a temperature that is not above 1/600.
    """
    views, batch, _ = z.shape
    if views < 2:
        raise InputError("nt_xent compares views of a sample; this batch has one view and needs two or more")
    if temperature <= 0:
        raise InputError(f"temperature must be above 0; it is {temperature:g}")
    u = F.normalize(z, dim=-1)
    # sum over ordered pairs of different views of u_v . u_w, for all samples at once
    positives = u.sum(0).square().sum() - u.square().sum()
    positive = positives / (views * (views - 1) * batch)
    return logsumexp_of_others(u.flatten(0, 1), 1 / temperature).mean() - positive / temperature
