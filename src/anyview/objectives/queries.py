"""Contrast of queries with keys: each query picks its key among others' keys."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.objectives.pairwise import logsumexp_over, sharpness
from anyview.objectives.precision import full_precision


@full_precision
def info_nce(
    query: Float[Tensor, "views batch dim"],
    key: Float[Tensor, "views batch dim"],
    negatives: Float[Tensor, "negatives dim"],
    temperature: float = 0.2,
) -> Float[Tensor, ""]:
    r"""InfoNCE with negatives from elsewhere, as MoCo takes them from a queue (He et al. 2020,
    arXiv:1911.05722, eq. 1).

    With ``q``, ``k`` and ``n`` of unit length, a query's term is

        -log( exp(q . k / t) / ( exp(q . k / t) + sum_j exp(q . n_j / t) ) )

    averaged over all queries. ``query[v, i]`` has ``key[v, i]``; the other keys of the batch are no negatives. It
    is 0 without negatives, and ``log(1 + negatives)`` when all vectors are equal.

    Normalises inside. Holds a block of rows of query times negatives at a time. The gradient goes wherever the
    caller lets it.

    Args:
        query: any length.
        key: of the same samples in the same order.
        negatives: keys of others.
        temperature: 0.07 in MoCo, 0.2 in MoCo v2.

    Raises:
        InputError: for a temperature that is not above 0.
    """
    scale = sharpness(temperature)
    q, k, n = (F.normalize(x, dim=-1) for x in (query, key, negatives))
    if not len(n):
        return 0 * (q * k).sum()
    q, k = q.flatten(0, 1), k.flatten(0, 1)
    return F.softplus(logsumexp_over(q, n, scale) - scale * (q * k).sum(1)).mean()


@full_precision
def in_batch_info_nce(
    query: Float[Tensor, "views batch dim"], key: Float[Tensor, "views batch dim"], temperature: float = 0.2
) -> Float[Tensor, ""]:
    r"""InfoNCE whose negatives are the other keys of the batch: ``ctr`` of MoCo v3 without its factor ``2 t``
    (Chen et al. 2021, arXiv:2104.02057, algorithm 1), and NNCLR's loss (Dwibedi et al. 2021, arXiv:2104.14548,
    eq. 3).

        L = -(1/B) sum_i log( exp(q_i . k_i / t) / sum_j exp(q_i . k_j / t) )

    with ``q`` and ``k`` of unit length, averaged over the views: ``query[v]`` is compared with ``key[v]`` alone.
    Queries are not compared with each other. The value is ``log B`` when all vectors are equal.

    Normalises inside. Holds a block of rows of ``B x B`` at a time. The gradient goes wherever the caller lets it.

    Args:
        query: any length.
        key: of the same samples in the same order.
        temperature: 0.2 in MoCo v3 for transformers, 1 for ResNets; 0.1 in NNCLR.

    Raises:
        InputError: for a temperature that is not above 0.
    """
    scale = sharpness(temperature)
    q, k = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
    everything = torch.stack([logsumexp_over(a, b, scale) for a, b in zip(q, k)])
    return (everything - scale * (q * k).sum(-1)).mean()
