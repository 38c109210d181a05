"""Views of pairs: one side each, the image or its caption, mildly changed."""

from typing import Any

from anyview.data.batch import Batch
from anyview.errors import InputError
from anyview.views.base import Views
from anyview.views.image import ImageViews
from anyview.views.image import multi_view as image_views
from anyview.views.text import TextViews
from anyview.views.text import multi_view as text_views

SIDES = ("image", "text")


class PairViews(Views):
    """Images and captions by turns: ``{"image": ...}``, ``{"text": ...}``, and so on.

    ``meta`` of each view is what was done to its side.
    """

    def __init__(self, images: ImageViews, texts: TextViews) -> None:
        self.images, self.texts = images, texts
        self.count = images.count + texts.count

    def __call__(self, batch: Batch) -> list[Batch]:
        if not isinstance(batch.x, dict) or not all(side in batch.x for side in SIDES):
            raise InputError("views of pairs need samples with an image and a text")
        views = []
        for key, make in zip(SIDES, (self.images, self.texts)):
            side = make(batch.with_x(batch.x[key]))
            views.append([view.with_x({key: view.x}) for view in side])
        return [view for both in zip(*views) for view in both]


def pair(
    spec: dict[str, Any],
    *,
    size: int | None = None,
    crop_scale: tuple[float, float] = (0.5, 1.0),
    flip: float = 0.0,
    jitter: float = 0.0,
    strength: float = 0.5,
    grayscale: float = 0.0,
    keep: tuple[float, float] = (1.0, 1.0),
    delete: float = 0.1,
    mask: float = 0.0,
) -> PairViews:
    """The image of each pair, cropped, and its caption with a few tokens left out (CLIP and ALIGN crop alone).
    Colours and sides stay: captions speak of them.

    Args:
        spec: what the pairs are like: ``image`` and ``text``.
        size: height and width of an image in pixels; the shorter side of the images when None.
        crop_scale: smallest and largest share of the image's area in a crop.
        flip: probability of mirroring left to right.
        jitter: probability of changing brightness, contrast, saturation and hue.
        strength: strength of that change.
        grayscale: probability of removing the colour.
        keep: smallest and largest share of the caption in a span of it.
        delete: probability of leaving out a token.
        mask: probability of masking a token.
    """
    return _views(spec, 1, size, crop_scale, flip, jitter, strength, grayscale, keep, delete, mask)


def multi_view(
    spec: dict[str, Any],
    *,
    count: int = 4,
    size: int | None = None,
    crop_scale: tuple[float, float] = (0.5, 1.0),
    flip: float = 0.0,
    jitter: float = 0.0,
    strength: float = 0.5,
    grayscale: float = 0.0,
    keep: tuple[float, float] = (1.0, 1.0),
    delete: float = 0.1,
    mask: float = 0.0,
) -> PairViews:
    """Several views of each side, by turns.

    Args:
        spec: what the pairs are like: ``image`` and ``text``.
        count: number of views, half of them images, half captions; an odd one is rounded up.
        size: height and width of an image in pixels; the shorter side of the images when None.
        crop_scale: smallest and largest share of the image's area in a crop.
        flip: probability of mirroring left to right.
        jitter: probability of changing brightness, contrast, saturation and hue.
        strength: strength of that change.
        grayscale: probability of removing the colour.
        keep: smallest and largest share of the caption in a span of it.
        delete: probability of leaving out a token.
        mask: probability of masking a token.
    """
    if count < 1:
        raise InputError(f"pairs give one view of each side or more, not {count}")
    return _views(
        spec, -(-count // 2), size, crop_scale, flip, jitter, strength, grayscale, keep, delete, mask
    )


def _views(
    spec: dict[str, Any],
    each: int,
    size: int | None,
    crop_scale: tuple[float, float],
    flip: float,
    jitter: float,
    strength: float,
    grayscale: float,
    keep: tuple[float, float],
    delete: float,
    mask: float,
) -> PairViews:
    images = image_views(
        spec["image"],
        count=each,
        size=size,
        crop_scale=crop_scale,
        flip=flip,
        jitter=jitter,
        strength=strength,
        grayscale=grayscale,
        blur=0.0,
    )
    return PairViews(images, text_views(spec["text"], count=each, crop=keep, delete=delete, mask=mask))
