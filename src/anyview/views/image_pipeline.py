"""One distribution of image views: crops, flips, colour, blur and solarisation, drawn per sample."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from anyview.errors import InputError
from anyview.views import image_ops as ops
from anyview.views.image_ops import Canvas, Images

Params = dict[str, Tensor]

JITTER = ("brightness", "contrast", "saturation", "hue")
ORDERS = list(itertools.permutations(JITTER))
PARAMS = ("box", "flip", "jitter", "order", *JITTER, "grayscale", "blur", "solarise")
TRIES = 10  # crops drawn before the middle of the image is taken, as in torchvision

# Values that are worked on at a time: operators pass over the same values again and again, so these and the
# scratch space should stay in a core's cache, yet outweigh the cost of calling an operator. Measured.
CHUNK = {"cpu": 200_000, "cuda": 12_000_000}


@dataclass(frozen=True)
class ImagePipeline:
    """One distribution of views.

    ``draw`` draws the parameters of every sample, ``apply`` makes the views from them, so a view can be made
    again from what ``Batch.meta`` keeps. The order of the four colour operators is drawn for groups of
    samples (64 at 32 x 32 pixels), where torchvision draws it for each image.

    Attributes:
        size: height and width of a view, in pixels.
        crop_scale: smallest and largest share of the image's area in a crop.
        crop_ratio: smallest and largest width / height of a crop.
        flip: probability of mirroring left to right.
        jitter: probability of changing brightness, contrast, saturation and hue.
        brightness: the factor is drawn from ``1 - brightness`` to ``1 + brightness``; contrast and
            saturation alike.
        contrast: see ``brightness``.
        saturation: see ``brightness``.
        hue: the hue is turned by at most this share of a full circle, up to 0.5.
        grayscale: probability of removing the colour.
        blur: probability of a Gaussian blur.
        blur_sigma: smallest and largest deviation of the blur, in pixels.
        solarise: probability of inverting bright pixels.
        solarise_threshold: brightness from which pixels are inverted.
    """

    size: int
    crop_scale: tuple[float, float] = (0.2, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    jitter: float = 0.8
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    grayscale: float = 0.2
    blur: float = 0.0
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    solarise: float = 0.0
    solarise_threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(f"views need a size of at least 1 pixel, not {self.size}")
        for name in ("flip", "jitter", "grayscale", "blur", "solarise"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is a probability, 0 to 1, not {getattr(self, name)}")
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise InputError(f"crop_scale is two shares of the area in order, up to 1, not {self.crop_scale}")
        if not 0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            raise InputError(f"crop_ratio is two ratios of width to height in order, not {self.crop_ratio}")
        if not 0 < self.blur_sigma[0] <= self.blur_sigma[1]:
            raise InputError(f"blur_sigma is two widths in pixels in order, not {self.blur_sigma}")
        if min(self.brightness, self.contrast, self.saturation) < 0 or not 0 <= self.hue <= 0.5:
            raise InputError("strengths of colour jitter are at least 0, and that of hue at most 0.5")

    def draw(self, n: int, height: int, width: int, device: torch.device | str = "cpu") -> Params:
        """Parameters for views of ``n`` images of ``height`` x ``width`` pixels.

        They come from torch's global generator on the CPU, whatever ``device`` is: there the host reads coins
        without waiting for the device. ``device`` is where the views will be made.

        Returns:
            Tensors ``PARAMS`` with the batch first: ``box`` (top, left, height, width, in pixels), ``flip``,
            ``jitter`` (whether), ``order`` (index into ``ORDERS``), ``brightness``, ``contrast``,
            ``saturation`` (factors, 1 for none), ``hue`` (0 for none), ``grayscale``, ``blur`` (sigma in
            pixels, 0 for none), ``solarise``.
        """
        box = random_boxes(n, height, width, self.crop_scale, self.crop_ratio)
        coins = torch.rand(5, n)
        jitter = coins[1] < self.jitter
        group = self._chunk(3, torch.device(device))
        params = {
            "box": box,
            "flip": coins[0] < self.flip,
            "jitter": jitter,
            "order": torch.randint(len(ORDERS), (-(-n // group),)).repeat_interleave(group)[:n],
        }
        for name in JITTER[:3]:
            strength = getattr(self, name)
            factor = torch.empty(n).uniform_(max(0.0, 1 - strength), 1 + strength)
            params[name] = torch.where(jitter, factor, 1.0)
        params["hue"] = torch.where(jitter, torch.empty(n).uniform_(-self.hue, self.hue), 0.0)
        params["grayscale"] = coins[2] < self.grayscale
        params["blur"] = torch.where(coins[3] < self.blur, torch.empty(n).uniform_(*self.blur_sigma), 0.0)
        params["solarise"] = coins[4] < self.solarise
        return params

    @torch.no_grad()
    def apply(
        self, images: Canvas, params: Params, mean: Tensor | None = None, std: Tensor | None = None
    ) -> Float[Tensor, "batch channels {self.size} {self.size}"]:
        """Makes the views of ``images`` (uint8, or float in [0, 1]) that ``params`` describe.

        Returns:
            float images of ``size`` x ``size`` pixels, contiguous as channels-last; in [0, 1], or normalised
            when ``mean`` and ``std`` are given.
        """
        device = images.device
        there = {name: params[name].to(device) for name in PARAMS}
        here = {name: there[name] if device.type == "cpu" else params[name].cpu() for name in there}
        out = torch.empty(
            (*images.shape[:2], self.size, self.size), device=device, memory_format=torch.channels_last
        )
        start = 0
        with torch.autocast(device.type, enabled=False):
            for part in self._parts(here["order"], images):
                at = slice(start, start + part)
                x = self._view(images[at], _pick(here, at), _pick(there, at))
                out[at] = x if mean is None or std is None else ops.normalise(x, mean, std)
                start += part
        return out

    def _view(
        self, images: Canvas, here: Params, there: Params
    ) -> Float[Tensor, "batch channels {self.size} {self.size}"]:
        x = ops.crop_resize(images, there["box"], there["flip"], self.size)
        active = [name for name in ORDERS[int(here["order"][0])] if getattr(self, name)]

        def colour(x: Images, p: Params) -> Images:
            for name in active:
                x = getattr(ops, name)(x, p[name])
            return x

        def blur(x: Images, p: Params) -> Images:
            # a tenth of the size, odd, at least 3 (SimCLR, appendix A), and no wider than the image
            kernel = min(max(3, self.size // 10 | 1), 2 * self.size - 1)
            return ops.gaussian_blur(x, p["blur"], kernel)

        def solarise(x: Images, p: Params) -> Images:
            return ops.solarise(x, x.new_full((len(x),), self.solarise_threshold))

        if active:
            x = _where(here["jitter"], x, there, colour)
        x = _where(here["grayscale"], x, there, lambda x, p: ops.grayscale(x))
        x = _where(here["blur"] > 0, x, there, blur)
        return _where(here["solarise"], x, there, solarise)

    def _parts(self, order: Int64[Tensor, "batch"], images: Canvas) -> list[int]:
        """Numbers of samples to work on at a time: few enough, and of one order of colour operators."""
        most = self._chunk(images.shape[1], images.device)
        runs = torch.unique_consecutive(order, return_counts=True)[1].tolist()
        return [min(most, run - done) for run in runs for done in range(0, run, most)]

    def _chunk(self, channels: int, device: torch.device) -> int:
        return max(1, round(CHUNK.get(device.type, CHUNK["cuda"]) / (channels * self.size**2)))


def _pick(params: Params, at: slice | Tensor) -> Params:
    return {name: value[at] for name, value in params.items()}


def _where(
    chosen: Bool[Tensor, "batch"], x: Images, params: Params, operator: Callable[[Images, Params], Images]
) -> Images:
    """``operator`` on the chosen samples only. Changes ``x``; ``chosen`` is on the host, ``x`` anywhere."""
    if chosen.all():
        return operator(x, params) if len(x) else x
    at = chosen.nonzero()[:, 0].to(x.device)
    return x.index_copy_(0, at, operator(x[at], _pick(params, at))) if len(at) else x


def random_boxes(
    n: int, height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> Int64[Tensor, "{n} 4"]:
    """Random crops ``[top, left, height, width]`` as torchvision's ``RandomResizedCrop`` draws them.

    Area uniform in ``scale`` (shares of the image's), width / height log-uniform in ``ratio``; of ten tries
    the first that fits, else the largest crop in the middle whose ratio is allowed.
    """
    area = height * width * torch.empty(n, TRIES).uniform_(*scale)
    side = torch.empty(n, TRIES).uniform_(math.log(ratio[0]), math.log(ratio[1])).exp_()
    w, h = (area * side).sqrt_().round_(), (area / side).sqrt_().round_()
    fits = (w >= 1) & (w <= width) & (h >= 1) & (h <= height)
    first = fits.float().argmax(1, keepdim=True)
    size = torch.cat([h.gather(1, first), w.gather(1, first)], 1)
    canvas = torch.tensor([height, width])
    room = canvas - size
    start = torch.minimum((torch.rand(n, 2) * (room + 1)).floor_(), room)
    middle = torch.tensor([round(width / ratio[0]), round(height * ratio[1])]).clamp_min(1).minimum(canvas)
    fallback = torch.cat([(canvas - middle).div(2, rounding_mode="floor"), middle])
    return torch.where(fits.any(1, keepdim=True), torch.cat([start, size], 1).long(), fallback)


def overlapping(
    boxes: list[Int64[Tensor, "n 4"]], height: int, width: int, share: float
) -> list[Int64[Tensor, "n 4"]]:
    """Crops of the same sizes, placed anew so that they overlap (UDI, arXiv:2407.17671, section 3.2).

    Along each axis the second shares at least the root of ``share`` of the shorter side with the first, any further
    one with the rectangle around those two, and is placed uniformly where it does.

    Args:
        boxes: top, left, height and width of each crop, in pixels; at least one.
        height, width: of the images.
        share: 0 to 1.
    """
    canvas, around, placed = torch.tensor([height, width]), boxes[0], boxes[:1]
    for box in boxes[1:]:
        size, start, end = box[:, 2:], around[:, :2], around[:, :2] + around[:, 2:]
        common = (torch.minimum(size, around[:, 2:]) * share**0.5).ceil().long()
        low = (start - size + common).clamp_min(0)
        room = torch.minimum(end - common, canvas - size) - low
        place = low + torch.minimum((torch.rand(len(box), 2) * (room + 1)).long(), room)
        placed.append(torch.cat([place, size], 1))
        if len(placed) == 2:
            start, end = torch.minimum(start, place), torch.maximum(end, place + size)
            around = torch.cat([start, end - start], 1)
    return placed
