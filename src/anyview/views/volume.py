"""Views of volumes: crops, turns, flips and intensities, made for a whole batch in one trilinear pass."""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from anyview.data.batch import Batch
from anyview.errors import InputError
from anyview.views.base import Views

Volumes = Float[Tensor, "batch channels depth height width"]
Canvas = Volumes | UInt8[Tensor, "batch channels depth height width"]
Views3d = Float[Tensor, "batch channels newdepth newheight newwidth"]
Shape = tuple[int, int, int]
Params = dict[str, Tensor]


@dataclass(frozen=True)
class VolumePipeline:
    """One distribution of views; ``draw`` draws the parameters of every sample, ``apply`` makes views of them.

    Attributes:
        shape: depth, height and width of a view, in voxels.
        crop_scale: smallest and largest share of the volume in a crop.
        crop_ratio: smallest and largest ratio of a crop's sides to those of the volume's proportions.
        flip: probability of mirroring each of ``flip_axes`` (0, 1, 2: depth, height, width).
        turn: largest angle of a rotation about a random axis, in degrees.
        quarter_turns: axes about which volumes are turned by 0, 90, 180 or 270 degrees, in this order.
        intensity: strength of changes of contrast, brightness and gamma.
        noise: largest deviation of Gaussian noise, where black to white is 1.
    """

    shape: Shape
    crop_scale: tuple[float, float] = (0.3, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    flip_axes: tuple[int, ...] = (0, 1, 2)
    turn: float = 10.0
    quarter_turns: tuple[int, ...] = ()
    intensity: float = 0.3
    noise: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise InputError(
                f"crop_scale is two shares of the volume in order, up to 1, not {self.crop_scale}"
            )
        if not 0 <= self.flip <= 1:
            raise InputError(f"flip is a probability, 0 to 1, not {self.flip}")
        for name in ("flip_axes", "quarter_turns"):
            if not set(getattr(self, name)) <= {0, 1, 2}:
                raise InputError(
                    f"{name} are among 0, 1 and 2 (depth, height, width), not {getattr(self, name)}"
                )
        if not 0 <= self.intensity < 1 or min(self.noise, self.turn) < 0:
            raise InputError("intensity lies from 0 up to below 1; noise and turn are at least 0")

    def draw(self, n: int, extent: Shape) -> Params:
        """Parameters for views of ``n`` volumes of ``extent`` voxels, from torch's global generator.

        Returns:
            ``centre`` and ``half`` (of the crop's sides, in voxels), ``flip`` and ``quarters`` by axis,
            ``rotation`` (3 x 3), ``contrast``, ``brightness``, ``gamma``, ``noise``; the batch first.
        """
        side = torch.empty(n, 1).uniform_(*self.crop_scale).pow(1 / 3)
        ratio = torch.empty(n, 3).uniform_(*map(math.log, self.crop_ratio))
        ratio = ratio - ratio.mean(1, keepdim=True)  # they leave the share as it is
        room = -side.log() / ratio.amax(1, keepdim=True).clamp_min(
            1e-6
        )  # no side is longer than the volume's
        side = side * (ratio * room.clamp_max(1)).exp()
        size = torch.tensor(extent, dtype=torch.float32)
        start = torch.rand(n, 3) * (1 - side)
        quarters = torch.zeros(n, 3, dtype=torch.int64)
        quarters[:, list(self.quarter_turns)] = torch.randint(4, (n, len(self.quarter_turns)))
        flippable = torch.zeros(3, dtype=torch.bool)
        flippable[list(self.flip_axes)] = True
        s = self.intensity
        return {
            "centre": (start + side / 2) * size,
            "half": side * size / 2,
            "flip": (torch.rand(n, 3) < self.flip) & flippable,
            "quarters": quarters,
            "rotation": rotations(n, math.radians(self.turn)),
            "contrast": torch.empty(n).uniform_(1 - s, 1 + s),
            "brightness": torch.empty(n).uniform_(-s / 2, s / 2),
            "gamma": torch.empty(n).uniform_(-s, s).exp(),
            "noise": torch.rand(n) * self.noise,
        }

    @torch.no_grad()
    def apply(self, x: Canvas, params: Params) -> Views3d:
        """The views that ``params`` (on the device of ``x``) describe, in [0, 1]; the noise is drawn here."""
        with torch.autocast(x.device.type, enabled=False):
            white = 255.0 if x.dtype == torch.uint8 else 1.0
            y = F.grid_sample(x.float(), self.grid(params, x), padding_mode="zeros", align_corners=False)
            y = y.div_(white).clamp_(0, 1)
            if self.intensity:
                contrast, brightness, gamma = (
                    params[k].view(-1, 1, 1, 1, 1) for k in ("contrast", "brightness", "gamma")
                )
                mean = y.mean((1, 2, 3, 4), keepdim=True)
                y = y.sub_(mean).mul_(contrast).add_(mean + brightness).clamp_(0, 1).pow_(gamma)
            if self.noise:
                y.add_(torch.randn_like(y).mul_(params["noise"].view(-1, 1, 1, 1, 1)))
        return y

    def grid(self, params: Params, x: Tensor) -> Float[Tensor, "batch newdepth newheight newwidth 3"]:
        """Where every new voxel lies: ``centre + rotation quarters (half * u)``, ``u`` from -1 to 1.

        Turned in voxels, so that nothing is sheared where sides differ; ``grid_sample`` wants the last axis
        first and -1 to 1 over the volume.
        """
        matrix = params["rotation"] @ quarter_matrices(params["quarters"]).to(params["rotation"].dtype)
        mirror = torch.where(params["flip"], -1.0, 1.0)
        matrix = matrix * (mirror * params["half"])[:, None]
        extent = torch.tensor(x.shape[2:], device=x.device, dtype=torch.float32)
        matrix, offset = matrix * (2 / extent)[:, None], params["centre"] * (2 / extent) - 1
        theta = torch.cat([matrix.flip(1, 2), offset.flip(1)[..., None]], 2)
        return F.affine_grid(theta, [len(x), 1, *self.shape], align_corners=False)


def rotations(n: int, angle: float) -> Float[Tensor, "{n} 3 3"]:
    """Rotations about random axes by up to ``angle`` (radians) either way (Rodrigues' formula)."""
    axis = F.normalize(torch.randn(n, 3), dim=1)
    turn = torch.empty(n, 1, 1).uniform_(-angle, angle)
    cross = torch.zeros(n, 3, 3)
    cross[:, [2, 0, 1], [1, 2, 0]], cross[:, [1, 2, 0], [2, 0, 1]] = axis, -axis
    return torch.eye(3) + turn.sin() * cross + (1 - turn.cos()) * (cross @ cross)


def quarter_matrices(quarters: Tensor) -> Float[Tensor, "batch 3 3"]:
    """Turns by so many quarters about axis 0, then 1, then 2: exact, with entries -1, 0 and 1."""
    out = torch.eye(3, device=quarters.device).expand(len(quarters), 3, 3)
    for axis in range(3):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        once = torch.zeros(3, 3, device=quarters.device)
        once[axis, axis], once[a, b], once[b, a] = 1, -1, 1
        powers = torch.stack([torch.linalg.matrix_power(once, k) for k in range(4)])
        out = powers[quarters[:, axis]] @ out
    return out


class VolumeViews(Views):
    """Views of volumes from one or more distributions, normalised by channel; parameters are in ``meta``.

    Args:
        parts: pipelines, each with the number of views to make by it.
        spec: of the volumes: ``shape``, ``mean``, ``std``.
    """

    def __init__(self, parts: list[tuple[VolumePipeline, int]], spec: dict[str, Any]) -> None:
        self.pipelines = [pipeline for pipeline, count in parts for _ in range(count)]
        self.count = len(self.pipelines)
        if self.count < 1:
            raise InputError("views of volumes need a count of at least 1")
        self.spec = spec

    def __call__(self, batch: Batch) -> list[Batch]:
        check_volumes(batch.x, self.spec)
        extent = batch.x.shape[2:]
        views = []
        for pipeline in self.pipelines:
            params = pipeline.draw(len(batch), (extent[0], extent[1], extent[2]))
            params = {name: value.to(batch.x.device) for name, value in params.items()}
            view = normalise(pipeline.apply(batch.x, params), self.spec)
            views.append(batch.with_x(view, **params))
        return views


def check_volumes(x: Any, spec: dict[str, Any]) -> None:
    """Raises InputError unless ``x`` is a batch of volumes as ``spec`` has them."""
    channels = len(spec["mean"])
    if not isinstance(x, Tensor) or x.ndim != 5 or x.shape[1] != channels:
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise InputError(f"expected volumes (batch, {channels}, depth, height, width), got {shape}")


def normalise(x: Volumes, spec: dict[str, Any]) -> Volumes:
    """``(x - mean) / std`` by channel, in the memory layout that convolutions like best."""
    mean, std = (torch.tensor(spec[k], device=x.device).view(-1, 1, 1, 1) for k in ("mean", "std"))
    return x.sub(mean).div_(std).contiguous(memory_format=torch.channels_last_3d)


@torch.no_grad()
def whole(x: Canvas, spec: dict[str, Any], shape: Shape | None = None) -> Views3d:
    """What a network sees outside training: the whole volume at ``shape`` (that of ``spec`` when None)."""
    check_volumes(x, spec)
    y = x / 255 if x.dtype == torch.uint8 else x.float()
    return normalise(resized(y, tuple(spec["shape"][1:]) if shape is None else shape), spec)


def resized(x: Volumes, shape: tuple[int, ...]) -> Views3d:
    """Reduced by area, enlarged trilinearly."""
    if tuple(x.shape[2:]) == tuple(shape):
        return x
    if all(new <= old for new, old in zip(shape, x.shape[2:])):
        return F.adaptive_avg_pool3d(x, (shape[0], shape[1], shape[2]))
    return F.interpolate(x, size=list(shape), mode="trilinear", align_corners=False)


def view_shape(spec: dict[str, Any], size: int | None) -> Shape:
    """Shape of a view whose longest side is ``size``, in the volume's proportions."""
    d, h, w = spec["shape"][1:]
    if size is None:
        return d, h, w
    if size < 2:
        raise InputError(f"views need a size of at least 2 voxels, not {size}")
    d, h, w = (max(1, round(n * size / max(d, h, w))) for n in (d, h, w))
    return d, h, w


def two_views(
    spec: dict[str, Any],
    *,
    size: int | None = None,
    crop_scale: tuple[float, float] = (0.3, 1.0),
    flip: float = 0.5,
    flip_axes: tuple[int, ...] = (0, 1, 2),
    turn: float = 10.0,
    quarter_turns: tuple[int, ...] = (),
    intensity: float = 0.3,
    noise: float = 0.05,
) -> VolumeViews:
    """Two views of each volume, all of one distribution.

    Args:
        spec: what the volumes are like: shape, mean, std.
        size: longest side of a view in voxels; that of the volumes when None.
        crop_scale: smallest and largest share of the volume in a crop.
        flip: probability of mirroring each of the axes that may be.
        flip_axes: axes that may be mirrored: 0 depth, 1 height, 2 width; none where sides differ.
        turn: largest angle of a rotation about a random axis, in degrees.
        quarter_turns: axes about which volumes may be turned by quarters; only where no side is up.
        intensity: strength of changes of contrast, brightness and gamma.
        noise: largest deviation of Gaussian noise, where black to white is 1.
    """
    shape = view_shape(spec, size)
    options = (flip, flip_axes, turn, quarter_turns, intensity, noise)
    return VolumeViews([(_pipeline(shape, crop_scale, *options), 2)], spec)


def multi_view(
    spec: dict[str, Any],
    *,
    count: int = 4,
    size: int | None = None,
    crop_scale: tuple[float, float] = (0.3, 1.0),
    flip: float = 0.5,
    flip_axes: tuple[int, ...] = (0, 1, 2),
    turn: float = 10.0,
    quarter_turns: tuple[int, ...] = (),
    intensity: float = 0.3,
    noise: float = 0.05,
) -> VolumeViews:
    """Any number of views of each volume, all of one distribution.

    Args:
        spec: what the volumes are like: shape, mean, std.
        count: number of views.
        size: longest side of a view in voxels; that of the volumes when None.
        crop_scale: smallest and largest share of the volume in a crop.
        flip: probability of mirroring each of the axes that may be.
        flip_axes: axes that may be mirrored: 0 depth, 1 height, 2 width; none where sides differ.
        turn: largest angle of a rotation about a random axis, in degrees.
        quarter_turns: axes about which volumes may be turned by quarters; only where no side is up.
        intensity: strength of changes of contrast, brightness and gamma.
        noise: largest deviation of Gaussian noise, where black to white is 1.
    """
    shape = view_shape(spec, size)
    options = (flip, flip_axes, turn, quarter_turns, intensity, noise)
    return VolumeViews([(_pipeline(shape, crop_scale, *options), count)], spec)


def multi_crop(
    spec: dict[str, Any],
    *,
    size: int | None = None,
    local_size: int | None = None,
    global_count: int = 2,
    local_count: int = 6,
    global_scale: tuple[float, float] = (0.3, 1.0),
    local_scale: tuple[float, float] = (0.05, 0.3),
    flip: float = 0.5,
    flip_axes: tuple[int, ...] = (0, 1, 2),
    turn: float = 10.0,
    quarter_turns: tuple[int, ...] = (),
    intensity: float = 0.3,
    noise: float = 0.05,
) -> VolumeViews:
    """A few large crops of each volume and several small ones, as SwAV's of images (arXiv:2006.09882).

    Args:
        spec: what the volumes are like: shape, mean, std.
        size: longest side of a global view in voxels; that of the volumes when None.
        local_size: longest side of a local view in voxels; half of ``size`` when None.
        global_count: number of global views, which come first.
        local_count: number of local views.
        global_scale: smallest and largest share of the volume in a global crop.
        local_scale: smallest and largest share of the volume in a local crop.
        flip: probability of mirroring each of the axes that may be.
        flip_axes: axes that may be mirrored: 0 depth, 1 height, 2 width; none where sides differ.
        turn: largest angle of a rotation about a random axis, in degrees.
        quarter_turns: axes about which volumes may be turned by quarters; only where no side is up.
        intensity: strength of changes of contrast, brightness and gamma.
        noise: largest deviation of Gaussian noise, where black to white is 1.
    """
    large = view_shape(spec, size)
    small = view_shape(spec, local_size or max(2, max(large) // 2))
    options = (flip, flip_axes, turn, quarter_turns, intensity, noise)
    parts = [
        (_pipeline(large, global_scale, *options), global_count),
        (_pipeline(small, local_scale, *options), local_count),
    ]
    return VolumeViews(parts, spec)


def plain_view(
    spec: dict[str, Any],
    *,
    size: int | None = None,
    crop_scale: tuple[float, float] = (0.5, 1.0),
    flip: float = 0.5,
    flip_axes: tuple[int, ...] = (0, 1, 2),
) -> VolumeViews:
    """One mild view of each volume, crop and flip alone, for masked methods.

    Args:
        spec: what the volumes are like: shape, mean, std.
        size: longest side of the view in voxels; that of the volumes when None.
        crop_scale: smallest and largest share of the volume in the crop.
        flip: probability of mirroring each of the axes that may be.
        flip_axes: axes that may be mirrored: 0 depth, 1 height, 2 width; none where sides differ.
    """
    pipeline = _pipeline(view_shape(spec, size), crop_scale, flip, flip_axes, 0.0, (), 0.0, 0.0)
    return VolumeViews([(pipeline, 1)], spec)


def _pipeline(
    shape: Shape,
    crop_scale: tuple[float, float],
    flip: float,
    flip_axes: tuple[int, ...],
    turn: float,
    quarter_turns: tuple[int, ...],
    intensity: float,
    noise: float,
) -> VolumePipeline:
    return VolumePipeline(
        shape,
        crop_scale,
        flip=flip,
        flip_axes=flip_axes,
        turn=turn,
        quarter_turns=quarter_turns,
        intensity=intensity,
        noise=noise,
    )
