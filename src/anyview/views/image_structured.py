"""Views of images whose transformations are known to the method: shared by a group of images, or told as a number."""

from typing import Any, Literal

import torch
from torch import Tensor

from anyview.data.batch import Batch
from anyview.errors import InputError, unknown
from anyview.views import image_ops as ops
from anyview.views.image import ImageViews, default_size, simclr_pipeline
from anyview.views.image_pipeline import ImagePipeline

TRANSFORMATIONS = ("rotation", "crop_scale", "hue")


class SharedViews(ImageViews):
    """Two views of each image, as ever, and two more whose parameters are drawn once for a whole group of images
    and applied to all of them, as CARE wants it (Gupta et al. 2024, arXiv:2306.13924, section 3.2).

    Groups are neighbours in the batch. ``meta["group"]`` says which group an image is in, by the index of the
    group's first image: processes that have a part of the batch each cannot name two groups alike.

    Args:
        pipeline: of all four views.
        group: images that share a transformation, at least; all of them where a batch has fewer.
        mean: mean of each channel, for pixels in [0, 1].
        std: deviation of each channel, alike.
    """

    def __init__(self, pipeline: ImagePipeline, group: int, mean: list[float], std: list[float]) -> None:
        if group < 2:
            raise InputError(f"a transformation is shared by groups of 2 images or more, not {group}")
        super().__init__([(pipeline, 2)], mean, std)
        self.group, self.count = group, 4

    def __call__(self, batch: Batch) -> list[Batch]:
        views = super().__call__(batch)
        n, (height, width) = len(batch), batch.x.shape[2:]
        groups = max(1, n // self.group)
        number = torch.arange(n) * groups // n  # of sizes that differ by one at most
        first = torch.searchsorted(number, torch.arange(groups))[number].to(batch.index.device)
        batch = batch.with_x(batch.x, group=batch.index[first])
        for pipeline in self.pipelines:
            drawn = pipeline.draw(groups, height, width, batch.x.device)
            views.append(self.view(batch, pipeline, {name: value[number] for name, value in drawn.items()}))
        return [v.with_x(v.x, group=batch.meta["group"]) for v in views]


class ParameterViews(ImageViews):
    """Two views of each image, each with the strength of one of its transformations in ``meta["parameter"]``, 0 to 1
    (DUET, Suau et al. 2023, arXiv:2306.16058, section 3; pairs of SIE, Garrido et al. 2023, arXiv:2302.10283).

    - ``rotation``: the view is turned about its middle, -``max_angle`` to ``max_angle`` degrees; what comes from
      outside is black. The turn itself, a share of the circle, is ``meta["turn"]``.
    - ``crop_scale``: the share of the area in the crop, from the smallest to the largest that can be drawn.
    - ``hue``: the shift of the hue, from the smallest to the largest.

    Args:
        pipeline: what else is done to the views; a rotation comes last.
        transformation: whose parameter is told.
        max_angle: of a rotation, up to 180 degrees.
        mean: mean of each channel, for pixels in [0, 1].
        std: deviation of each channel, alike.

    Attributes:
        cyclic: whether parameters 0 and 1 are the same, as of rotations to all sides.
    """

    def __init__(
        self,
        pipeline: ImagePipeline,
        transformation: str,
        max_angle: float,
        mean: list[float],
        std: list[float],
    ) -> None:
        super().__init__([(pipeline, 2)], mean, std)
        if transformation not in TRANSFORMATIONS:
            raise unknown("transformation", transformation, TRANSFORMATIONS)
        if not 0 < max_angle <= 180:
            raise InputError(f"images are turned by an angle up to 180 degrees, not {max_angle:g}")
        if transformation == "hue" and (len(mean) != 3 or not pipeline.hue or not pipeline.jitter):
            raise InputError(
                "the hue tells nothing here; it needs images in colour, and jitter and strength above 0"
            )
        if transformation == "crop_scale" and pipeline.crop_scale[0] == pipeline.crop_scale[1]:
            raise InputError("crop_scale tells nothing here: all crops are of one size")
        self.transformation, self.turns = transformation, max_angle / 360
        self.cyclic = (transformation == "rotation" and max_angle == 180) or (
            transformation == "hue" and pipeline.hue == 0.5
        )

    def __call__(self, batch: Batch) -> list[Batch]:
        views = super().__call__(batch)
        if self.transformation != "rotation":
            area = batch.x.shape[2] * batch.x.shape[3]
            return [v.with_x(v.x, parameter=self._read(v.meta, area)) for v in views]
        turned = []
        for view in views:
            share = torch.rand(len(batch)).to(view.x.device)
            turn = (2 * share - 1) * self.turns
            black = (-self.mean / self.std).to(view.x.device)[:, None, None]
            x = ops.rotate(view.x - black, turn) + black
            x = x.contiguous(memory_format=torch.channels_last)
            turned.append(view.with_x(x, parameter=share, turn=turn))
        return turned

    def _read(self, params: dict[str, Any], area: int) -> Tensor:
        if self.transformation == "hue":
            return (params["hue"] / (2 * self.pipelines[0].hue) + 0.5).clamp(0, 1)
        low, high = self.pipelines[0].crop_scale
        share = params["box"][:, 2:].prod(1) / area
        return ((share - low) / (high - low)).clamp(0, 1)


def shared_views(
    spec: dict[str, Any],
    *,
    group: int = 16,
    size: int | None = None,
    crop_scale: tuple[float, float] = (0.2, 1.0),
    flip: float = 0.5,
    jitter: float = 0.8,
    strength: float = 0.5,
    grayscale: float = 0.2,
    blur: float | None = None,
    solarise: float = 0.0,
) -> SharedViews:
    """Two views of each image, and two more that share their transformation with all images of a group.

    Args:
        spec: what the images are like: shape, mean, std.
        group: images that share a transformation.
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
    return SharedViews(pipeline, group, spec["mean"], spec["std"])


def parameter_views(
    spec: dict[str, Any],
    *,
    transformation: Literal["rotation", "crop_scale", "hue"] = "rotation",
    max_angle: float = 180.0,
    size: int | None = None,
    crop_scale: tuple[float, float] = (0.2, 1.0),
    flip: float = 0.5,
    jitter: float = 0.8,
    strength: float = 0.5,
    grayscale: float = 0.2,
    blur: float | None = None,
    solarise: float = 0.0,
) -> ParameterViews:
    """Two views of each image, with the strength of one transformation told as a number from 0 to 1.

    Args:
        spec: what the images are like: shape, mean, std.
        transformation: the one that is told: rotation (which is made for it), crop_scale or hue.
        max_angle: largest rotation to either side, in degrees; 180 is all the way round.
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
    return ParameterViews(pipeline, transformation, max_angle, spec["mean"], spec["std"])
