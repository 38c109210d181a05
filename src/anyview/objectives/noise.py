"""Noise-contrastive estimation: tell the entry of your own sample from entries of others."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.pairwise import in_blocks, logsumexp_of_others, sharpness
from anyview.objectives.precision import full_precision

LEAST = -1e30  #: in place of a similarity that does not count: no share of a sum, and no gradient


@full_precision
def nce(
    query: Float[Tensor, "batch dim"],
    key: Float[Tensor, "batch dim"],
    negatives: Float[Tensor, "negatives dim"],
    own: Int[Tensor, "batch"],
    temperature: float = 0.07,
    others: bool = True,
) -> Float[Tensor, ""]:
    r"""The loss of PIRL (Misra and van der Maaten 2020, arXiv:1912.01991) with entries of a memory.

    With ``s`` a cosine over the temperature, ``D`` the negatives and, for a pair,

        h(u, v) = exp(s(u, v)) / ( exp(s(u, v)) + sum_{n in D} exp(s(v, n)) ),

    a query ``q`` with its key ``k`` has the term

        - log h(k, q) - sum_{n in D} log( 1 - h(q, n) )

    averaged over the batch. To the letter, the sum inside ``h`` runs over the similarities of its second argument:
    of the query in the first part, of a negative with the other negatives in the second, where it is a constant.
    An entry is never a negative of its own sample: ``D`` is without the query's sample, and without ``n`` in the
    sum of ``h(q, n)``.

    The first part alone (``others`` False) is InfoNCE, which published code offers beside it.

    Normalises inside. Similarities are held a block of rows at a time. No gradient reaches the negatives.

    Args:
        query: any length.
        key: the memory's entry of each query's sample.
        negatives: one drawing of entries for the whole batch, each of another sample.
        own: which of the negatives is of the query's own sample, and does not count; -1 for none.
        temperature: 0.07 in the paper.
        others: whether the second part counts.

    Raises:
        InputError: for fewer than two negatives or a temperature that is not above 1/600.
    """
    if len(negatives) < 2:
        raise InputError(f"noise-contrastive estimation needs two negatives or more, not {len(negatives)}")
    scale = sharpness(temperature)
    q, k, n = (F.normalize(x, dim=-1) for x in (query, key, negatives.detach()))
    floor = logsumexp_of_others(n, scale) if others else n.new_zeros(len(n))

    def sums(rows: Tensor, start: int) -> tuple[Tensor, Tensor]:
        mine = own[start : start + len(rows), None] == torch.arange(len(n), device=own.device)
        s = (scale * rows @ n.T).masked_fill(mine, LEAST)
        return s.logsumexp(1), F.softplus(s - floor).sum(1) if others else s.new_zeros(len(s))

    found = [torch.cat(parts) for parts in zip(*in_blocks(sums, q, len(n)))]
    return (F.softplus(found[0] - scale * (q * k).sum(1)) + found[1]).mean()
