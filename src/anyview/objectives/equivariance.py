"""Equivariance: what is done to samples is done to their embeddings, as a rotation or by a predicted map."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.precision import full_precision
from anyview.objectives.variance import vicreg


@full_precision
def rotation_equivariance(z: Float[Tensor, "2 batch dim"], group: Int[Tensor, "batch"]) -> Float[Tensor, ""]:
    r"""How far two transformations are from acting on embeddings as rotations (CARE, Gupta et al. 2024,
    arXiv:2306.13924, section 3.1).

        L = mean over pairs i != j of one group of  ( u_1i . u_1j - u_2i . u_2j )^2,   u = z / ||z||

    where ``u_1`` are the images of a group under one transformation and ``u_2`` under another. Sets of points that
    have the same products differ by an orthogonal map, so at 0 one rotation takes ``u_1`` to ``u_2``. Embeddings that
    do not move at all give 0 too.

    The paper's expectation over pairs. The authors' code doubles it and sums over ``j``, so its weight of 0.03 for
    groups of 16 is ``0.03 * 2 * 15 = 0.9`` here, where it does not hang on the size of a group.

    Args:
        z: embeddings, of any length.
        group: which samples share their transformations, by any numbers.

    Raises:
        InputError: when no two samples share a transformation.
    """
    u = F.normalize(z, dim=-1)
    _, number, size = group.unique(return_inverse=True, return_counts=True)
    pairs = (size * (size - 1)).sum()
    if pairs == 0:
        raise InputError(
            "rotation_equivariance compares samples that share a transformation; no two of these do"
        )
    order = number.argsort(stable=True)
    place = torch.arange(len(order), device=order.device) - (size.cumsum(0) - size)[number[order]]
    # one block of products a group; a place without a sample is zero, and adds zero
    blocks = u.new_zeros(2, len(size), int(size.max()), u.shape[2])
    blocks = blocks.index_put(
        (torch.arange(2, device=order.device)[:, None], number[order], place), u[:, order]
    )
    gram = blocks @ blocks.mT
    return (2 * (gram[0] - gram[1]).triu(1).square().sum()) / pairs


@full_precision
def sie(
    invariant: Float[Tensor, "2 batch inv"],
    equivariant: Float[Tensor, "2 batch equi"],
    predicted: Float[Tensor, "batch equi"],
    similarity: float = 10.0,
    equivariance: float = 0.45,
    variance: float = 10.0,
    covariance: float = 1.0,
) -> dict[str, Float[Tensor, ""]]:
    r"""SIE (Garrido et al. 2023, arXiv:2302.10283, section 4), by the weights of the authors' command.

    With views ``Z = [I, E]`` and ``Z' = [I', E']`` whose halves are joined, and ``P`` predicted of ``E'``:

        invariance    similarity mean (I - I')^2
        equivariance  similarity equivariance mean (P - E')^2
        variance      variance ( ( v(Z) + v(Z') ) / 2 + v(P) / 2 )
        covariance    covariance ( c(Z) + c(Z') )

    ``v`` and ``c`` as in ``vicreg``, over both halves together, so that none repeats the other; the hinge on ``P``
    forbids a prediction that is the same for all. No gradient is stopped. Without an equivariant half this is VICReg.

    Args:
        invariant, equivariant: halves of the embeddings of both views, not normalised.
        predicted: the second view's equivariant half, predicted from the first's.
        similarity: weight of both distances; ``equivariance`` is the second's share, 0.45 in the command and ten
            times as much by default in the code.

    Returns:
        The weighted terms by name; their sum is the loss.

    Raises:
        InputError: for a single sample.
    """
    joined = vicreg(torch.cat([invariant, equivariant], -1), 0.0, variance, covariance)
    hinge = joined["variance"]
    terms = {"invariance": similarity * F.mse_loss(invariant[0], invariant[1])}
    if equivariant.shape[2]:
        terms["equivariance"] = similarity * equivariance * F.mse_loss(predicted, equivariant[1])
        hinge = hinge + variance * (1 - (predicted.var(0) + 1e-4).sqrt()).relu().mean() / 2
    return terms | {"variance": hinge, "covariance": joined["covariance"]}
