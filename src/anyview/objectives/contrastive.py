"""Contrastive objectives: find your other views among all views of all samples."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.pairwise import logsumexp_of_others, sharpness
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
    scale = sharpness(temperature)
    u = F.normalize(z, dim=-1)
    # sum over ordered pairs of different views of u_v . u_w, for all samples at once
    positives = u.sum(0).square().sum() - u.square().sum()
    positive = positives / (views * (views - 1) * batch)
    return logsumexp_of_others(u.flatten(0, 1), scale).mean() - scale * positive


@full_precision
def dcl(
    z: Float[Tensor, "views batch dim"], temperature: float = 0.1, sigma: float | None = None
) -> Float[Tensor, ""]:
    r"""Decoupled contrast (Yeh et al. 2021, arXiv:2110.06848, section 3), and weighted, DCLW.

    NT-Xent without the positive in the denominator, whose coupling takes the gradient away where the positive is
    close and the batch small. With ``s_ij`` the cosine of two of the ``N = views * batch``
    embeddings, the term of an anchor ``i`` and a positive ``p`` (another view of the same sample) is

        l(i, p) = - w_ip s_ip / t + log sum_{k a view of another sample} exp(s_ik / t)

    and the loss is its mean over all anchors and their positives (the paper's is the sum). ``w`` is 1, or with
    ``sigma`` the negative von Mises-Fisher weight

        w_ip = 2 - exp(s_ip / sigma) / (1/B) sum_j exp(s_jp(j) / sigma),

    where the mean runs over the samples' pairs of the same two views. Pairs that agree less than others weigh
    more; the mean of the weights is 1. They are weights and carry no gradient.

    Normalises inside; no matrix of all pairs is held. The value is ``log(N - views)`` when all embeddings are
    equal, and can be below 0.

    Args:
        z: projections, any length.
        temperature: 0.1 in the paper.
        sigma: None for DCL; 0.5 in the paper's DCLW.

    Raises:
        InputError: for a single view or sample, a temperature that is not above 1/600, or a sigma not above 0.
    """
    views, batch, _ = z.shape
    if views < 2 or batch < 2:
        raise InputError(f"dcl compares two or more views of two or more samples, not {views} of {batch}")
    if sigma is not None and not sigma > 0:
        raise InputError(f"sigma must be above 0; it is {sigma:g}")
    scale = sharpness(temperature)
    u = F.normalize(z, dim=-1)
    cosine = torch.stack([(u * u.roll(shift, 0)).sum(-1) for shift in range(1, views)])  # of pairs of views
    if sigma is not None:
        agreement = torch.softmax(cosine.detach() / sigma, dim=-1)
        cosine = (2 - batch * agreement) * cosine
    return logsumexp_of_others(u.flatten(0, 1), scale, samples=batch).mean() - scale * cosine.mean()
