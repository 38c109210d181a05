"""Masks over tokens, drawn from their coordinates, so that one mask serves every modality.

Every mask is True where a token is hidden. Only valid tokens are masked; a sample with two valid tokens or
more has at least one hidden and at least one visible, a sample with fewer has none hidden. (``some_blocks`` leaves
some samples whole.)
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
    coords: Coords,
    valid: Valid,
    ratio: float | Float[Tensor, "batch"],
    *,
    blocks: int = 4,
    aspect: tuple[float, float] = (0.5, 2.0),
) -> Valid:
    """Hides blocks of neighbouring tokens: intervals on one axis, rectangles on two, boxes on three.

    Every sample gets ``blocks`` boxes around random tokens, which grow at one rate until together they hold
    the number of tokens nearest to ``round(ratio * valid tokens)``: boxes stay whole, so the number differs
    from it by at most half a side of each box. Boxes may overlap.

    Args:
        coords: coordinates of the tokens, in token steps.
        valid: which tokens a sample has.
        ratio: share of the valid tokens to hide, between 0 and 1; of all samples or of each.
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


def some_blocks(
    coords: Coords,
    valid: Valid,
    ratio: tuple[float, float] = (0.1, 0.5),
    chance: float = 0.5,
    *,
    blocks: int = 4,
    aspect: tuple[float, float] = (0.3, 1 / 0.3),
) -> Valid:
    """Blocks of a share drawn for each sample, and in some samples none at all (iBOT, arXiv:2111.07832, section 3
    and appendix; the blocks are those of ``block_mask``, long ones included as in BEiT, arXiv:2106.08254).

    Args:
        coords: coordinates of the tokens, in token steps.
        valid: which tokens a sample has.
        ratio: least and largest share of the valid tokens to hide.
        chance: probability that a sample hides any.
        blocks, aspect: see ``block_mask``.

    Raises:
        InputError: when a share is not between 0 and 1, they are not in order, or ``chance`` is no probability.
    """
    if not 0 < ratio[0] <= ratio[1] < 1 or not 0 <= chance <= 1:
        raise InputError(
            f"shares to mask lie between 0 and 1 in order, and a chance from 0 to 1; not {ratio}, {chance:g}"
        )
    share = torch.empty(len(valid), device=valid.device).uniform_(*ratio)
    chosen = torch.rand(len(valid), 1, device=valid.device) < chance
    return block_mask(coords, valid, share, blocks=blocks, aspect=aspect) & chosen


def multi_block(
    coords: Coords,
    valid: Valid,
    *,
    blocks: int = 4,
    scale: tuple[float, float] = (0.15, 0.2),
    aspect: tuple[float, float] = (0.75, 1.5),
    context: tuple[float, float] = (0.85, 1.0),
) -> tuple[Bool[Tensor, "batch {blocks} tokens"], Valid]:
    """Blocks to predict and one large block to predict them from, without them (I-JEPA, arXiv:2301.08243,
    section 3).

    A block of ``n`` tokens is the ``n`` nearest to a random token by a box that grows around it, so it has its
    share of the tokens on any layout; its last row is cut where that does not come out even. Target blocks may
    overlap each other; the context overlaps none of them.

    Args:
        coords: coordinates of the tokens, in token steps.
        valid: which tokens a sample has.
        blocks: target blocks per sample.
        scale: range of a target block's share of the tokens.
        aspect: range of the ratio of its sides, drawn log-uniformly; the context is as high as wide.
        context: range of the context's share, before the targets are taken out.

    Returns:
        The target blocks, and the context. A sample of two valid tokens or more has a context, if need be at
        the cost of the target blocks; one of fewer has no target.

    Raises:
        InputError: when there is no block, or a share is not above 0 and at most 1.
    """
    if blocks < 1:
        raise InputError(f"a multi-block mask needs at least 1 block, not {blocks}")
    for low, high in (scale, context):
        if not 0 < low <= high <= 1:
            raise InputError(f"the share of a block lies above 0 and up to 1, not at {low} to {high}")
    target = torch.stack([_block(coords, valid, scale, aspect) for _ in range(blocks)], 1)
    count = valid.sum(1)[:, None]
    target = target & (count > 1)[..., None]
    seen = _block(coords, valid, context, (1.0, 1.0))
    for fallback in (seen, valid):  # the rest of the large block, else whatever no target holds
        left = fallback & ~target.any(1)
        seen = left if fallback is seen else torch.where(seen.any(1, keepdim=True), seen, left)
    # targets that hold everything give up their first token
    first = (valid.cumsum(1) == 1) & valid & ~seen.any(1, keepdim=True)
    return target & ~first[:, None], seen | first


def _block(coords: Coords, valid: Valid, scale: tuple[float, float], aspect: tuple[float, float]) -> Valid:
    """The tokens nearest to a random one, a random share of all, by the distance of a box of random sides."""
    chance = torch.rand(valid.shape, device=valid.device).masked_fill_(~valid, -1)
    centre = coords.gather(1, chance.argmax(1)[:, None, None].expand(-1, 1, coords.shape[2]))
    low, high = math.log(aspect[0]) / 2, math.log(aspect[1]) / 2
    stretch = torch.empty_like(centre).uniform_(low, high)
    side = (stretch - stretch.mean(2, keepdim=True)).exp()
    # a fraction of a step beside the token, so that even sides can come out too
    away = ((coords - centre - (torch.rand_like(centre) - 0.5)).abs() / side).amax(2)
    share = torch.empty(len(valid), 1, device=valid.device).uniform_(*scale)
    size = (valid.sum(1, keepdim=True) * share).round().clamp_min(1)
    return (_rank(away.masked_fill(~valid, math.inf)) < size) & valid


def tube_mask(coords: Coords, valid: Valid, ratio: float) -> Valid:
    """Hides the same random places in every step of the first axis: tubes through time (VideoMAE,
    arXiv:2203.12602, section 3.3), so that what is hidden cannot be copied from the step before.

    Args:
        coords: coordinates of the tokens, in token steps; the first axis is that of the tubes.
        valid: which tokens a sample has.
        ratio: share of the places to hide, between 0 and 1.

    Raises:
        InputError: when ``ratio`` is not between 0 and 1, or tokens have a single axis.
    """
    if coords.shape[2] < 2:
        raise InputError("a tube mask needs tokens with two axes or more; these have one")
    cells = coords[..., 1:].long()
    place = torch.zeros_like(cells[..., 0])
    for axis in cells.unbind(-1):
        place = place * (int(axis.max()) + 1) + axis if axis.numel() else place
    places = int(place.max()) + 1 if place.numel() else 0
    exists = torch.zeros(len(valid), places, dtype=torch.long, device=valid.device)
    exists = exists.scatter_add(1, place, valid.long()) > 0
    return random_mask(exists[..., None].float(), exists, ratio).gather(1, place) & valid


def span_mask(
    coords: Coords, valid: Valid, ratio: float, *, mean_length: float = 3.8, longest: int = 10
) -> Valid:
    """Hides spans of neighbouring tokens whose lengths are geometric (SpanBERT, arXiv:1907.10529, section
    3.1), until ``round(ratio * valid tokens)`` are hidden; the last span is cut there.

    Args:
        coords: coordinates of the tokens; spans follow the order of the tokens.
        valid: which tokens a sample has.
        ratio: share of the valid tokens to hide, between 0 and 1.
        mean_length: of a span, before it is cut at ``longest``; 3.8 in the paper after the cut, with a
            probability to end of 0.2.
        longest: tokens in a span at most.

    Raises:
        InputError: when ``ratio`` is not between 0 and 1, or a length is below 1.
    """
    if mean_length < 1 or longest < 1:
        raise InputError(f"spans have a length of 1 or more, not {min(mean_length, longest):g}")
    hidden = _hidden(valid, ratio)
    turn = torch.rand(valid.shape, device=valid.device).masked_fill_(~valid, math.inf)
    length = torch.ones_like(turn)
    if mean_length > 1:
        draw = torch.rand_like(turn).clamp_min(1e-12)
        length = 1 + (draw.log() / math.log(1 - 1 / mean_length)).floor()
    reached = turn  # the turn of the first span that holds a token
    for step in range(1, min(longest, valid.shape[1])):
        begun = turn[:, :-step].masked_fill(length[:, :-step] <= step, math.inf)
        reached = torch.cat([reached[:, :step], torch.minimum(reached[:, step:], begun)], 1)
    return _rank(reached.masked_fill(~valid, math.inf)) < hidden[:, None]


def _hidden(valid: Valid, ratio: float | Float[Tensor, "batch"]) -> Int64[Tensor, "batch"]:
    """How many tokens of each sample to hide."""
    if not isinstance(ratio, Tensor) and not 0 < ratio < 1:
        raise InputError(f"the share of tokens to mask lies between 0 and 1, not at {ratio}")
    count = valid.sum(1)
    return torch.minimum((count.double() * ratio).round().long().clamp_min(1), count - 1).clamp_min(0)


def _rank(score: Float[Tensor, "batch tokens"]) -> Int64[Tensor, "batch tokens"]:
    """Position of each token when its sample is sorted by score, the smallest first."""
    order = score.argsort(dim=1, stable=True)
    steps = torch.arange(score.shape[1], device=score.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, steps)
