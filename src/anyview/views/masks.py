"""Masks over tokens, drawn from their coordinates, so that one mask serves every modality.

Every mask is True where a token is hidden. Only valid tokens are masked; a sample with two valid tokens or
more has at least one hidden and at least one visible, a sample with fewer has none hidden.
"""

import math

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from anyview.errors import InputError

Coords = Float[Tensor, "batch tokens axes"]
Valid = Bool[Tensor, "batch tokens"]


def random_mask(coords: Coords, valid: Valid, ratio: float) -> Valid:
    """Hides ``round(ratio * valid tokens)`` tokens of every sample, each token equally likely (MAE, BERT).

    Args:
        coords: coordinates of the tokens; a random mask does not depend on where they are.
        valid: which tokens a sample has.
        ratio: share of the valid tokens to hide, between 0 and 1.

    Raises:
        InputError: when ``ratio`` is not between 0 and 1.
    """
    hidden = _hidden(valid, ratio)
    draw = torch.rand(valid.shape, device=valid.device).masked_fill_(~valid, math.inf)
    return _rank(draw) < hidden[:, None]


def block_mask(
    coords: Coords, valid: Valid, ratio: float, *, blocks: int = 4, aspect: tuple[float, float] = (0.5, 2.0)
) -> Valid:
    """Hides blocks of neighbouring tokens: intervals on one axis, rectangles on two, boxes on three.

    Every sample gets ``blocks`` boxes around random tokens, which grow at one rate until together they hold
    the number of tokens nearest to ``round(ratio * valid tokens)``: boxes stay whole, so the number differs
    from it by at most half a side of each box. Boxes may overlap.

    Args:
        coords: coordinates of the tokens, in token steps.
        valid: which tokens a sample has.
        ratio: share of the valid tokens to hide, between 0 and 1.
        blocks: boxes per sample.
        aspect: range of the ratio of a box's sides, drawn log-uniformly.

    Raises:
        InputError: when ``ratio`` is not between 0 and 1, or there is no block.
    """
    if blocks < 1:
        raise InputError(f"a block mask needs at least 1 block, not {blocks}")
    hidden = _hidden(valid, ratio)
    tokens, axes = coords.shape[1:]
    draw = torch.rand(valid.shape, device=valid.device).masked_fill_(~valid, -1)
    chance, seed = draw.topk(min(blocks, tokens), dim=1)
    centre = coords.gather(1, seed[..., None].expand(-1, -1, axes))
    centre = centre + torch.rand_like(centre) - 0.5
    low, high = math.log(aspect[0]) / 2, math.log(aspect[1]) / 2
    stretch = torch.empty_like(centre).uniform_(low, high)
    side = (stretch - stretch.mean(2, keepdim=True)).exp()
    # the size to which a box has grown when it reaches a token
    reached = ((coords[:, :, None] - centre[:, None]).abs() / side[:, None]).amax(3)
    reached = reached.masked_fill(chance[:, None] < 0, math.inf).amin(2).masked_fill(~valid, math.inf)

    last = reached.sort(1).values.gather(1, (hidden - 1).clamp_min(0)[:, None])
    before, through = valid & (reached < last), valid & (reached <= last)
    fewer, more = before.sum(1), through.sum(1)
    take = ((more - hidden <= hidden - fewer) | (fewer == 0)) & (more < valid.sum(1))
    mask = torch.where(take[:, None], through, before)
    # one side of one box can be all of a small sample; then the box is cut
    cut = (mask.sum(1) == 0)[:, None]
    return torch.where(cut, _rank(reached) < hidden[:, None], mask) & (hidden > 0)[:, None]


def _hidden(valid: Valid, ratio: float) -> Int64[Tensor, "batch"]:
    """How many tokens of each sample to hide."""
    if not 0 < ratio < 1:
        raise InputError(f"the share of tokens to mask lies between 0 and 1, not at {ratio}")
    count = valid.sum(1)
    return torch.minimum((count.double() * ratio).round().long().clamp_min(1), count - 1).clamp_min(0)


def _rank(score: Float[Tensor, "batch tokens"]) -> Int64[Tensor, "batch tokens"]:
    """Position of each token when its sample is sorted by score, the smallest first."""
    order = score.argsort(dim=1, stable=True)
    steps = torch.arange(score.shape[1], device=score.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, steps)
