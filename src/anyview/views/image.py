"""Views of images: what a user can ask for, and the Batches that come of it."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.data.batch import Batch
from anyview.errors import InputError
from anyview.views import image_ops as ops
from anyview.views.base import Views
from anyview.views.image_ops import Canvas
from anyview.views.image_pipeline import ImagePipeline, Params, overlapping

SMALL = 64  # views up to this many pixels are not blurred unless asked for


class ImageViews(Views):
    """Views of images from one or more distributions, normalised by channel.

    Every view is a Batch with ``x`` float and channels-last, and in ``meta`` the parameters that made it
    (see ``ImagePipeline.draw``).

    Args:
        parts: pipelines, each with the number of views to make by it.
        mean: mean of each channel, for pixels in [0, 1].
        std: deviation of each channel, alike.
        shared_flip: all views of an image are mirrored, or none, as the first view's coin says.
        overlap: least share that crops have in common, see ``multi_crop``; None places each for itself.
    """

    def __init__(
        self,
        parts: list[tuple[ImagePipeline, int]],
        mean: list[float],
        std: list[float],
        shared_flip: bool = False,
        overlap: float | None = None,
    ) -> None:
        self.pipelines = [pipeline for pipeline, count in parts for _ in range(count)]
        self.count = len(self.pipelines)
        if self.count < 1:
            raise InputError("views of images need a count of at least 1")
        self.mean, self.std = _statistics(mean, std)
        if overlap is not None and not 0 <= overlap <= 1:
            raise InputError(f"the overlap of crops is a share, 0 to 1, not {overlap:g}")
        self.shared_flip, self.overlap = shared_flip, overlap

    def __call__(self, batch: Batch) -> list[Batch]:
        x = batch.x
        check_images(x, len(self.mean))
        drawn = [p.draw(len(x), x.shape[2], x.shape[3], x.device) for p in self.pipelines]
        if self.shared_flip:
            drawn = [params | {"flip": drawn[0]["flip"]} for params in drawn]
        if self.overlap is not None:
            boxes = overlapping([params["box"] for params in drawn], x.shape[2], x.shape[3], self.overlap)
            drawn = [params | {"box": box} for params, box in zip(drawn, boxes)]
        return [self.view(batch, p, params) for p, params in zip(self.pipelines, drawn)]

    def view(self, batch: Batch, pipeline: ImagePipeline, params: Params) -> Batch:
        """The view of a batch that ``params`` describe, with them in ``meta``."""
        x = batch.x
        view = pipeline.apply(x, params, self.mean.to(x.device), self.std.to(x.device))
        return batch.with_x(view, **{k: v.to(x.device) for k, v in params.items()})


def check_images(x: Any, channels: int) -> None:
    """Raises InputError unless ``x`` is a batch of images of so many channels."""
    if not isinstance(x, Tensor) or x.ndim != 4 or x.shape[1] != channels:
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise InputError(f"expected images (batch, {channels}, height, width), got {shape}")
    if x.dtype != torch.uint8 and not x.is_floating_point():
        raise InputError(f"images are uint8 in 0 to 255 or float in 0 to 1, not {x.dtype}")


def _statistics(mean: list[float], std: list[float]) -> tuple[Tensor, Tensor]:
    deviation = torch.tensor(std, dtype=torch.float32)
    # a channel that never changes has nothing to scale
    return torch.tensor(mean, dtype=torch.float32), torch.where(deviation > 0, deviation, 1.0)


@torch.no_grad()
def whole(
    images: Canvas, spec: dict[str, Any], size: int | None = None
) -> Float[Tensor, "batch channels newsize newsize"]:
    """What a network sees outside training: the whole image, resized to ``size`` pixels a side, normalised.

    Args:
        images: uint8, or float in [0, 1].
        spec: of the images: ``shape``, ``mean``, ``std``.
        size: height and width of the result; the shorter side in ``spec`` when None.
    """
    check_images(images, spec["shape"][0])
    size = default_size(spec) if size is None else size
    batch, _, height, width = images.shape
    if (height, width) == (size, size):
        x = images / 255 if images.dtype == torch.uint8 else images.float()
    else:
        box = torch.tensor([0, 0, height, width], device=images.device).expand(batch, 4)
        with torch.autocast(images.device.type, enabled=False):
            x = ops.crop_resize(images, box, box.new_zeros(batch, dtype=torch.bool), size)
    mean, std = (t.to(images.device) for t in _statistics(spec["mean"], spec["std"]))
    return ops.normalise(x, mean, std).contiguous(memory_format=torch.channels_last)


def default_size(spec: dict[str, Any]) -> int:
    """The shorter side of the images."""
    return min(spec["shape"][1:])


def simclr_pipeline(
    size: int,
    crop_scale: tuple[float, float],
    flip: float,
    jitter: float,
    strength: float,
    grayscale: float,
    blur: float | None,
    solarise: float,
    saturation: float = 0.8,
) -> ImagePipeline:
    """The distribution of SimCLR's appendix A at a given strength of colour jitter."""
    return ImagePipeline(
        size,
        crop_scale,
        flip=flip,
        jitter=jitter,
        brightness=0.8 * strength,
        contrast=0.8 * strength,
        saturation=saturation * strength,
        hue=0.2 * strength,
        grayscale=grayscale,
        blur=(0.5 if size > SMALL else 0.0) if blur is None else blur,
        solarise=solarise,
    )


def two_views(
    spec: dict[str, Any],
    *,
    size: int | None = None,
    crop_scale: tuple[float, float] = (0.2, 1.0),
    flip: float = 0.5,
    jitter: float = 0.8,
    strength: float = 0.5,
    grayscale: float = 0.2,
    blur: float | None = None,
    solarise: float | None = None,
    asymmetric: bool = False,
    shared_flip: bool = False,
) -> ImageViews:
    """Two views of each image, as SimCLR (arXiv:2002.05709, appendix A) or BYOL (arXiv:2006.07733, table 6).

    Args:
        spec: what the images are like: shape, mean, std.
        size: height and width of a view in pixels; the shorter side of the images when None.
        crop_scale: smallest and largest share of the image's area in a crop.
        flip: probability of mirroring left to right.
        jitter: probability of changing brightness, contrast, saturation and hue.
        strength: strength s of that change: 0.8 s for brightness, contrast and saturation, 0.2 s for hue.
        grayscale: probability of removing the colour.
        blur: probability of a Gaussian blur; when None, 0.5 for views above 64 pixels and 0 for smaller ones
            (asymmetric: 1.0 and 0.1).
        solarise: probability of inverting bright pixels; when None, 0 (asymmetric: 0 and 0.2). Asymmetric
            views are solarised in the second view only.
        asymmetric: the two distributions of BYOL, whose saturation is 0.4 s, instead of one for both views.
        shared_flip: mirror both views of an image or none of them.
    """
    size = default_size(spec) if size is None else size
    shared = (size, crop_scale, flip, jitter, strength, grayscale)
    if not asymmetric:
        return ImageViews(
            [(simclr_pipeline(*shared, blur, solarise or 0.0), 2)], spec["mean"], spec["std"], shared_flip
        )
    blurs = ((1.0, 0.1) if size > SMALL else (0.0, 0.0)) if blur is None else (blur, blur)
    solarises = (0.0, 0.2 if solarise is None else solarise)
    parts = [(simclr_pipeline(*shared, b, s, saturation=0.4), 1) for b, s in zip(blurs, solarises)]
    return ImageViews(parts, spec["mean"], spec["std"], shared_flip)


def multi_view(
    spec: dict[str, Any],
    *,
    count: int = 4,
    size: int | None = None,
    crop_scale: tuple[float, float] = (0.2, 1.0),
    flip: float = 0.5,
    jitter: float = 0.8,
    strength: float = 0.5,
    grayscale: float = 0.2,
    blur: float | None = None,
    solarise: float = 0.0,
) -> ImageViews:
    """Any number of views of each image, all of one distribution.

    Args:
        spec: what the images are like: shape, mean, std.
        count: number of views.
        size: height and width of a view in pixels; the shorter side of the images when None.
        crop_scale: smallest and largest share of the image's area in a crop.
        flip: probability of mirroring left to right.
        jitter: probability of changing brightness, contrast, saturation and hue.
        strength: strength s of that change: 0.8 s for brightness, contrast and saturation, 0.2 s for hue.
        grayscale: probability of removing the colour.
        blur: probability of a Gaussian blur; when None, 0.5 for views above 64 pixels and 0 for smaller ones.
        solarise: probability of inverting bright pixels.
    """
    size = default_size(spec) if size is None else size
    pipeline = simclr_pipeline(size, crop_scale, flip, jitter, strength, grayscale, blur, solarise)
    return ImageViews([(pipeline, count)], spec["mean"], spec["std"])


def multi_crop(
    spec: dict[str, Any],
    *,
    size: int | None = None,
    local_size: int | None = None,
    global_count: int = 2,
    local_count: int = 6,
    global_scale: tuple[float, float] = (0.25, 1.0),
    local_scale: tuple[float, float] = (0.05, 0.25),
    flip: float = 0.5,
    jitter: float = 0.8,
    strength: float = 0.5,
    grayscale: float = 0.2,
    blur: float | None = None,
    solarise: float = 0.0,
    overlap: float | None = None,
) -> ImageViews:
    """A few large crops of each image and several small ones, as SwAV (arXiv:2006.09882, section 3.2).

    Args:
        spec: what the images are like: shape, mean, std.
        size: height and width of a global view in pixels; the shorter side of the images when None.
        local_size: height and width of a local view in pixels; 3/7 of ``size`` (96 for 224) to the nearest
            multiple of 8 when None.
        global_count: number of global views, which come first.
        local_count: number of local views.
        global_scale: smallest and largest share of the image's area in a global crop.
        local_scale: smallest and largest share of the image's area in a local crop.
        flip: probability of mirroring left to right.
        jitter: probability of changing brightness, contrast, saturation and hue.
        strength: strength s of that change: 0.8 s for brightness, contrast and saturation, 0.2 s for hue.
        grayscale: probability of removing the colour.
        blur: probability of a Gaussian blur; when None, 0.5 for views above 64 pixels and 0 for smaller ones.
        solarise: probability of inverting bright pixels.
        overlap: least share of the area that a crop has in common with the first one, or, from the third on, with the
            rectangle around the first two (UDI, arXiv:2407.17671), taken of the shorter sides. None places every crop
            for itself.
    """
    size = default_size(spec) if size is None else size
    local_size = local_size or min(size, max(8, round(size * 3 / 56) * 8))
    shared = (flip, jitter, strength, grayscale, blur, solarise)
    parts = [
        (simclr_pipeline(size, global_scale, *shared), global_count),
        (simclr_pipeline(local_size, local_scale, *shared), local_count),
    ]
    return ImageViews(parts, spec["mean"], spec["std"], overlap=overlap)


def plain_view(
    spec: dict[str, Any],
    *,
    size: int | None = None,
    crop_scale: tuple[float, float] = (0.2, 1.0),
    flip: float = 0.5,
) -> ImageViews:
    """One mild view of each image, crop and flip alone, for masked methods (MAE, arXiv:2111.06377).

    Args:
        spec: what the images are like: shape, mean, std.
        size: height and width of the view in pixels; the shorter side of the images when None.
        crop_scale: smallest and largest share of the image's area in the crop.
        flip: probability of mirroring left to right.
    """
    pipeline = ImagePipeline(
        default_size(spec) if size is None else size, crop_scale, flip=flip, jitter=0.0, grayscale=0.0
    )
    return ImageViews([(pipeline, 1)], spec["mean"], spec["std"])
