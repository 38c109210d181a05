"""Contrast of vectors with the parts of another view: every part must be told from parts of other samples."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.pairwise import in_blocks
from anyview.objectives.precision import full_precision


@full_precision
def part_nce(
    source: Float[Tensor, "batch dim"], target: Float[Tensor, "batch places dim"], clip: float = 20.0
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    r"""The contrast of AMDIM (Bachman et al. 2019, arXiv:1906.00910, section 3) from one view to places of another.

    With the raw score ``r_ijl = source_i . target_jl / sqrt(dim)`` and ``s = c tanh(r / c)``,

        L = mean_{i, l} - log( exp(s_iil) / ( exp(s_iil) + sum_{j != i} sum_m exp(s_ijm) ) )

    Every place of the sample's own other view is a positive; the negatives are all places of all other samples,
    the same for each of its positives. Other places of the same sample are neither. One direction only.

    Vectors are not normalised: the clip holds the scores, and the second result is what the paper also charges for.

    Args:
        source: of one view: the whole, or one place of it.
        target: of the other view of the same samples, in the same order.
        clip: ``c``; scores lie between ``-c`` and ``c``.

    Returns:
        ``(L, the mean of all squared raw scores)``.

    Raises:
        InputError: for a single sample or a clip that is not above 0.
    """
    batch, places, dim = target.shape
    if batch < 2:
        raise InputError(f"part_nce compares samples; this batch has {batch} and needs two or more")
    if not clip > 0:
        raise InputError(f"scores are clipped at a number above 0, not {clip:g}")

    def sums(rows: Tensor, start: int) -> tuple[Tensor, Tensor]:
        raw = (rows @ target.flatten(0, 1).T / math.sqrt(dim)).view(-1, batch, places)
        score = clip * torch.tanh(raw / clip)
        row = torch.arange(len(rows), device=raw.device)
        mine = row[:, None] + start == torch.arange(batch, device=raw.device)
        others = score.masked_fill(mine[..., None], -torch.inf).flatten(1).logsumexp(1)
        return F.softplus(others[:, None] - score[row, row + start]).mean(1), raw.square().mean((1, 2))

    terms, squares = zip(*in_blocks(sums, source, batch * places))
    return torch.cat(terms).mean(), torch.cat(squares).mean()
