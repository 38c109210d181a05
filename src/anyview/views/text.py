"""Views of text: a span of it, tokens left out, neighbours swapped, tokens masked; or the same text twice."""

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from anyview.data.batch import Batch, Ragged
from anyview.errors import InputError
from anyview.views.base import Views


class TextViews(Views):
    """Views of texts from one or more distributions.

    A view is the tokens at some places of its text, in some order. ``meta`` keeps ``place`` (``Ragged``, the
    place in the text of every token of the view) and ``masked`` (``Ragged``, 1 where it was masked), so a view
    can be made again.

    Args:
        parts: what is done, each with the number of views to make by it.
        mask: number of the token that masks.
    """

    def __init__(self, parts: "list[tuple[TextPipeline, int]]", mask: int) -> None:
        self.pipelines = [pipeline for pipeline, count in parts for _ in range(count)]
        self.count, self.mask = len(self.pipelines), mask
        if self.count < 1:
            raise InputError("views of text need a count of at least 1")

    def __call__(self, batch: Batch) -> list[Batch]:
        check_text(batch.x)
        return [self._view(batch, pipeline) for pipeline in self.pipelines]

    def _view(self, batch: Batch, pipeline: "TextPipeline") -> Batch:
        x: Ragged = batch.x
        place = pipeline.places(x.length)
        masked = torch.rand(place.values.shape, device=x.values.device) < pipeline.mask
        values = x.values[place.values + x.starts.repeat_interleave(place.length)]
        view = Ragged(values.masked_fill(masked, self.mask), place.length)
        return batch.with_x(view, place=place, masked=Ragged(masked.long(), place.length))


class TextPipeline:
    """What is done to a text, in this order.

    Args:
        crop: smallest and largest share of the text in a span of it.
        delete: probability of leaving out a token.
        shuffle: how far tokens move at most, in tokens; 0 keeps their order (Lample et al., arXiv:1711.00043,
            section 2.3).
        mask: probability of masking a token.
        length: longest span in tokens; None for no limit.

    Raises:
        InputError: for values that cannot be.
    """

    def __init__(
        self,
        crop: tuple[float, float] = (1.0, 1.0),
        delete: float = 0.0,
        shuffle: int = 0,
        mask: float = 0.0,
        length: int | None = None,
    ) -> None:
        if not 0 < crop[0] <= crop[1] <= 1:
            raise InputError(
                f"a span is a share above 0 and up to 1 of the text, not {crop[0]:g} to {crop[1]:g}"
            )
        for what, share in (("delete", delete), ("mask", mask)):
            if not 0 <= share < 1:
                raise InputError(f"{what} {share:g} cannot be; it is a share from 0 up to below 1")
        if shuffle < 0 or (length is not None and length < 1):
            raise InputError(
                f"shuffle {shuffle} and length {length} cannot be; give whole numbers from 0 and 1"
            )
        self.crop, self.delete, self.shuffle, self.mask, self.length = crop, delete, shuffle, mask, length

    def places(self, length: Int[Tensor, "batch"]) -> Ragged:
        """Places in each text of the tokens that its view has, in order; at least one of every text."""
        size, start = self.span(length)
        sample = torch.arange(len(length), device=length.device).repeat_interleave(size)
        within = torch.arange(len(sample), device=length.device) - (size.cumsum(0) - size)[sample]
        place = within + start[sample]
        if self.delete > 0:
            draw = torch.rand(place.shape, device=place.device)
            kept = draw >= self.delete
            # the token with the largest draw stays in any case
            largest = draw.new_zeros(len(length)).scatter_reduce_(0, sample, draw, "amax", include_self=False)
            kept |= draw == largest[sample]
            place, sample = place[kept], sample[kept]
            size = torch.bincount(sample, minlength=len(length))
        if self.shuffle > 0:
            key = place + (self.shuffle + 1) * torch.rand(
                place.shape, device=place.device, dtype=torch.float64
            )
            order = key.argsort(stable=True)
            place = place[order[sample[order].argsort(stable=True)]]
        return Ragged(place, size)

    def span(self, length: Int[Tensor, "batch"]) -> tuple[Int[Tensor, "batch"], Int[Tensor, "batch"]]:
        """Size and start of a span of each text: a share of ``crop``, anywhere in it with equal chance."""
        low, high = self.crop
        share, at = torch.rand(2, len(length), device=length.device)
        size = ((low + (high - low) * share) * length).round().long().clamp_min(1)
        if self.length is not None:
            size = size.clamp_max(self.length)
        size = torch.minimum(size, length)
        return size, torch.minimum((at * (length - size + 1)).long(), length - size)


def check_text(x: Any) -> None:
    """Raises InputError unless ``x`` is a batch of plain texts."""
    if isinstance(x, dict):
        raise InputError("these are pairs of texts, which only evaluation reads; give their sentences")
    if not isinstance(x, Ragged) or x.values.ndim != 1 or x.values.is_floating_point():
        raise InputError(f"expected texts as numbers of tokens (Ragged), got {type(x).__name__}")


def two_views(
    spec: dict[str, Any],
    *,
    crop: tuple[float, float] = (0.5, 1.0),
    delete: float = 0.1,
    shuffle: int = 0,
    mask: float = 0.0,
    length: int | None = None,
) -> TextViews:
    """Two views of each text. With ``crop`` [1, 1] and ``delete`` 0 both are the text itself, and an encoder with
    dropout makes the difference (SimCSE, arXiv:2104.08821).

    Args:
        spec: what the texts are like: the number of the mask.
        crop: smallest and largest share of the text in a span of it.
        delete: probability of leaving out a token.
        shuffle: how far tokens move at most, in tokens; 0 keeps their order.
        mask: probability of masking a token.
        length: longest span in tokens; None for no limit.
    """
    return TextViews([(TextPipeline(crop, delete, shuffle, mask, length), 2)], spec["mask"])


def multi_view(
    spec: dict[str, Any],
    *,
    count: int = 4,
    crop: tuple[float, float] = (0.5, 1.0),
    delete: float = 0.1,
    shuffle: int = 0,
    mask: float = 0.0,
    length: int | None = None,
) -> TextViews:
    """Any number of views of each text, all of one distribution.

    Args:
        spec: what the texts are like: the number of the mask.
        count: number of views.
        crop: smallest and largest share of the text in a span of it.
        delete: probability of leaving out a token.
        shuffle: how far tokens move at most, in tokens; 0 keeps their order.
        mask: probability of masking a token.
        length: longest span in tokens; None for no limit.
    """
    return TextViews([(TextPipeline(crop, delete, shuffle, mask, length), count)], spec["mask"])


def multi_crop(
    spec: dict[str, Any],
    *,
    global_count: int = 2,
    local_count: int = 4,
    global_crop: tuple[float, float] = (0.5, 1.0),
    local_crop: tuple[float, float] = (0.1, 0.5),
    delete: float = 0.1,
    shuffle: int = 0,
    mask: float = 0.0,
    length: int | None = None,
) -> TextViews:
    """A few long spans of each text and several short ones.

    Args:
        spec: what the texts are like: the number of the mask.
        global_count: number of long spans, which come first.
        local_count: number of short spans.
        global_crop: smallest and largest share of the text in a long span.
        local_crop: smallest and largest share of the text in a short span.
        delete: probability of leaving out a token.
        shuffle: how far tokens move at most, in tokens; 0 keeps their order.
        mask: probability of masking a token.
        length: longest span in tokens; None for no limit.
    """
    shared = (delete, shuffle, mask, length)
    parts = [
        (TextPipeline(global_crop, *shared), global_count),
        (TextPipeline(local_crop, *shared), local_count),
    ]
    return TextViews(parts, spec["mask"])


def plain_view(spec: dict[str, Any], *, length: int | None = None) -> TextViews:
    """One view of each text for masked methods: the text itself, or a span of a long one.

    Args:
        spec: what the texts are like: the number of the mask.
        length: longest span in tokens; None for no limit.
    """
    return TextViews([(TextPipeline(length=length), 1)], spec["mask"])
