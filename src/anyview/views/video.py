"""Views of clips: one box, one flip and one change of colour for all frames, and a stretch of time."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from anyview.data.batch import Batch
from anyview.errors import InputError
from anyview.views import image_ops as ops
from anyview.views.base import Views
from anyview.views.image_pipeline import ORDERS, ImagePipeline, Params

Clips = Float[Tensor, "batch channels frames height width"]
Views2p1d = Float[Tensor, "batch channels newframes newheight newwidth"]
Canvas = Clips | UInt8[Tensor, "batch channels frames height width"]


class ClipPipeline:
    """One distribution of views. Crop, flip and colour are drawn as an image's (see ``ImagePipeline``) and done to
    all frames alike, as the motion would else be lost (arXiv:2008.03800, section 3.2); time is cut like space.

    Args:
        image: draws box, flip and colours.
        frames: frames of a view.
        span: smallest and largest share of the clip's duration in a view. A view always has ``frames`` frames, so
            a short span is slow motion and a long one quick.
    """

    def __init__(self, image: ImagePipeline, frames: int, span: tuple[float, float]) -> None:
        if frames < 1:
            raise InputError(f"views need at least 1 frame, not {frames}")
        if not 0 < span[0] <= span[1] <= 1:
            raise InputError(f"span is two shares of the clip in order, up to 1, not {span}")
        self.image, self.frames, self.span = image, frames, span

    def draw(self, n: int, frames: int, height: int, width: int, device: torch.device) -> Params:
        """Parameters of ``n`` clips: those of ``ImagePipeline.draw``, and ``start`` and ``span`` in frames."""
        params = self.image.draw(n, height, width, device)
        span = torch.empty(n).uniform_(*self.span) * frames
        return params | {"start": torch.rand(n) * (frames - span), "span": span}

    @torch.no_grad()
    def apply(self, x: Canvas, params: Params) -> Views2p1d:
        """The views of ``x`` that ``params`` describe, in [0, 1]."""
        with torch.autocast(x.device.type, enabled=False):
            here = {name: value.to(x.device) for name, value in params.items()}
            x = pick_frames(x, frame_places(here["start"], here["span"], self.frames, x.shape[2]))
            # frames as channels: the same box for all
            size = self.image.size
            y = ops.crop_resize(x.flatten(1, 2), here["box"], here["flip"], size)
            # frames one below the other: one image, so that factors and the mean of contrast are the clip's
            y = y.view(len(x), x.shape[1], self.frames * size, size)
            runs = torch.unique_consecutive(params["order"], return_counts=True)[1].tolist()
            parts = [self._colour(part, here, at) for part, at in _runs(y, runs)]
            y = parts[0] if len(parts) == 1 else torch.cat(parts)
            return y.view(len(x), x.shape[1], self.frames, size, size)

    def _colour(self, y: Tensor, params: Params, at: slice) -> Tensor:
        for name in ORDERS[int(params["order"][at.start])]:
            if getattr(self.image, name) and self.image.jitter:
                y = getattr(ops, name)(y, params[name][at])
        if self.image.grayscale:
            y = torch.where(params["grayscale"][at].view(-1, 1, 1, 1), ops.grayscale(y), y)
        return y


def _runs(y: Tensor, counts: list[int]) -> list[tuple[Tensor, slice]]:
    ends = torch.tensor(counts).cumsum(0).tolist()
    return [(y[end - n : end], slice(end - n, end)) for n, end in zip(counts, ends)]


def frame_places(
    start: Float[Tensor, "batch"], span: Float[Tensor, "batch"], wanted: int, frames: int
) -> Int64[Tensor, "batch wanted"]:
    """The frames nearest to the middles of ``wanted`` equal parts of each stretch of time."""
    steps = (torch.arange(wanted, device=start.device) + 0.5) / wanted
    return (start[:, None] + span[:, None] * steps).floor().long().clamp(0, frames - 1)


def pick_frames(x: Canvas, places: Int64[Tensor, "batch wanted"]) -> Tensor:
    """The frames of each clip at its places."""
    rows = torch.arange(len(x), device=x.device)[:, None]
    return x.transpose(1, 2)[rows, places].transpose(1, 2)


class ClipViews(Views):
    """Views of clips from one or more distributions, normalised by channel; parameters are in ``meta``.

    Args:
        parts: pipelines, each with the number of views to make by it.
        spec: of the clips: ``shape``, ``mean``, ``std``.
    """

    def __init__(self, parts: list[tuple[ClipPipeline, int]], spec: dict[str, Any]) -> None:
        self.pipelines = [pipeline for pipeline, count in parts for _ in range(count)]
        self.count = len(self.pipelines)
        if self.count < 1:
            raise InputError("views of clips need a count of at least 1")
        self.spec = spec

    def __call__(self, batch: Batch) -> list[Batch]:
        x = batch.x
        check_clips(x, self.spec)
        views = []
        for pipeline in self.pipelines:
            params = pipeline.draw(len(x), x.shape[2], x.shape[3], x.shape[4], x.device)
            view = normalise(pipeline.apply(x, params), self.spec)
            views.append(batch.with_x(view, **{k: v.to(x.device) for k, v in params.items()}))
        return views


def check_clips(x: Any, spec: dict[str, Any]) -> None:
    """Raises InputError unless ``x`` is a batch of clips as ``spec`` has them."""
    channels = len(spec["mean"])
    if not isinstance(x, Tensor) or x.ndim != 5 or x.shape[1] != channels:
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise InputError(f"expected clips (batch, {channels}, frames, height, width), got {shape}")


def normalise(x: Clips, spec: dict[str, Any]) -> Clips:
    """``(x - mean) / std`` by channel, in the memory layout that convolutions like best."""
    mean, std = (torch.tensor(spec[k], device=x.device).view(-1, 1, 1, 1) for k in ("mean", "std"))
    return x.sub(mean).div_(std).contiguous(memory_format=torch.channels_last_3d)


@torch.no_grad()
def whole(x: Canvas, spec: dict[str, Any]) -> Views2p1d:
    """What a network sees outside training: the whole clip at the shape of ``spec``."""
    check_clips(x, spec)
    frames, height, width = spec["shape"][1:]
    zero = torch.zeros(len(x), device=x.device)
    if x.shape[2] != frames:
        x = pick_frames(x, frame_places(zero, zero + x.shape[2], frames, x.shape[2]))
    y = x / 255 if x.dtype == torch.uint8 else x.float()
    if tuple(y.shape[3:]) != (height, width):
        y = resized(y, height, width)
    return normalise(y, spec)


def resized(x: Clips, height: int, width: int) -> Tensor:
    """Every frame at another size: bilinear, antialiased where it reduces."""
    flat = F.interpolate(
        x.flatten(1, 2), (height, width), mode="bilinear", antialias=True, align_corners=False
    )
    return flat.view(*x.shape[:3], height, width)


def _pipeline(
    spec: dict[str, Any],
    size: int | None,
    frames: int | None,
    crop_scale: tuple[float, float],
    span: tuple[float, float],
    flip: float,
    jitter: float,
    strength: float,
    grayscale: float,
) -> ClipPipeline:
    image = ImagePipeline(
        default_size(spec) if size is None else size,
        crop_scale,
        flip=flip,
        jitter=jitter,
        brightness=0.8 * strength,
        contrast=0.8 * strength,
        saturation=0.8 * strength,
        hue=0.2 * strength,
        grayscale=grayscale,
    )
    return ClipPipeline(image, frames or spec["shape"][1], span)


def default_size(spec: dict[str, Any]) -> int:
    """The shorter side of the frames."""
    return min(spec["shape"][2:])


def two_views(
    spec: dict[str, Any],
    *,
    size: int | None = None,
    frames: int | None = None,
    crop_scale: tuple[float, float] = (0.3, 1.0),
    span: tuple[float, float] = (0.5, 1.0),
    flip: float = 0.5,
    jitter: float = 0.8,
    strength: float = 0.5,
    grayscale: float = 0.2,
) -> ClipViews:
    """Two views of each clip, as CVRL's (arXiv:2008.03800): another part of the frame, of the time, and colours.

    Args:
        spec: what the clips are like: shape, mean, std.
        size: height and width of a view in pixels; the shorter side of the frames when None.
        frames: frames of a view; those of the clips when None.
        crop_scale: smallest and largest share of the frame's area in a crop, the same box in all frames.
        span: smallest and largest share of the clip's duration in a view.
        flip: probability of mirroring left to right; 0 where the direction of motion tells.
        jitter: probability of changing brightness, contrast, saturation and hue.
        strength: strength s of that change: 0.8 s for brightness, contrast and saturation, 0.2 s for hue.
        grayscale: probability of removing the colour.
    """
    pipeline = _pipeline(spec, size, frames, crop_scale, span, flip, jitter, strength, grayscale)
    return ClipViews([(pipeline, 2)], spec)


def multi_view(
    spec: dict[str, Any],
    *,
    count: int = 4,
    size: int | None = None,
    frames: int | None = None,
    crop_scale: tuple[float, float] = (0.3, 1.0),
    span: tuple[float, float] = (0.5, 1.0),
    flip: float = 0.5,
    jitter: float = 0.8,
    strength: float = 0.5,
    grayscale: float = 0.2,
) -> ClipViews:
    """Any number of views of each clip, all of one distribution.

    Args:
        spec: what the clips are like: shape, mean, std.
        count: number of views.
        size: height and width of a view in pixels; the shorter side of the frames when None.
        frames: frames of a view; those of the clips when None.
        crop_scale: smallest and largest share of the frame's area in a crop, the same box in all frames.
        span: smallest and largest share of the clip's duration in a view.
        flip: probability of mirroring left to right; 0 where the direction of motion tells.
        jitter: probability of changing brightness, contrast, saturation and hue.
        strength: strength s of that change: 0.8 s for brightness, contrast and saturation, 0.2 s for hue.
        grayscale: probability of removing the colour.
    """
    pipeline = _pipeline(spec, size, frames, crop_scale, span, flip, jitter, strength, grayscale)
    return ClipViews([(pipeline, count)], spec)


def multi_crop(
    spec: dict[str, Any],
    *,
    size: int | None = None,
    local_size: int | None = None,
    frames: int | None = None,
    local_frames: int | None = None,
    global_count: int = 2,
    local_count: int = 6,
    global_scale: tuple[float, float] = (0.3, 1.0),
    local_scale: tuple[float, float] = (0.1, 0.3),
    global_span: tuple[float, float] = (0.5, 1.0),
    local_span: tuple[float, float] = (0.25, 0.5),
    flip: float = 0.5,
    jitter: float = 0.8,
    strength: float = 0.5,
    grayscale: float = 0.2,
) -> ClipViews:
    """A few large and long crops of each clip and several small and short ones.

    Args:
        spec: what the clips are like: shape, mean, std.
        size: height and width of a global view in pixels; the shorter side of the frames when None.
        local_size: height and width of a local view in pixels; half of ``size`` when None.
        frames: frames of a global view; those of the clips when None.
        local_frames: frames of a local view; half of ``frames`` when None.
        global_count: number of global views, which come first.
        local_count: number of local views.
        global_scale: smallest and largest share of the frame's area in a global crop.
        local_scale: smallest and largest share of the frame's area in a local crop.
        global_span: smallest and largest share of the clip's duration in a global view.
        local_span: smallest and largest share of the clip's duration in a local view.
        flip: probability of mirroring left to right; 0 where the direction of motion tells.
        jitter: probability of changing brightness, contrast, saturation and hue.
        strength: strength s of that change: 0.8 s for brightness, contrast and saturation, 0.2 s for hue.
        grayscale: probability of removing the colour.
    """
    size, frames = size or default_size(spec), frames or spec["shape"][1]
    colours = (flip, jitter, strength, grayscale)
    small, short = local_size or max(1, size // 2), local_frames or max(1, frames // 2)
    parts = [
        (_pipeline(spec, size, frames, global_scale, global_span, *colours), global_count),
        (_pipeline(spec, small, short, local_scale, local_span, *colours), local_count),
    ]
    return ClipViews(parts, spec)


def plain_view(
    spec: dict[str, Any],
    *,
    size: int | None = None,
    frames: int | None = None,
    crop_scale: tuple[float, float] = (0.5, 1.0),
    flip: float = 0.5,
) -> ClipViews:
    """One mild view of each clip, crop and flip alone, for masked methods (VideoMAE, arXiv:2203.12602).

    Args:
        spec: what the clips are like: shape, mean, std.
        size: height and width of the view in pixels; the shorter side of the frames when None.
        frames: frames of the view; those of the clips when None.
        crop_scale: smallest and largest share of the frame's area in the crop, the same box in all frames.
        flip: probability of mirroring left to right; 0 where the direction of motion tells.
    """
    return ClipViews([(_pipeline(spec, size, frames, crop_scale, (1.0, 1.0), flip, 0.0, 0.0, 0.0), 1)], spec)
