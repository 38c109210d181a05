"""Corruptions of images that an encoder was not made for: what a camera, a codec or bad light does to a test set.

After Hendrycks and Dietterich, 2019 (arXiv:1903.12261, section 3): five of their kinds at five strengths. Their tables
are for images of 224 pixels; lengths here are relative to the side, so that small images are spoilt as much. All
take float images ``(batch, channels, height, width)`` in [0, 1] and give the same.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from anyview.views.image_ops import Images, gaussian_blur
from anyview.views.image_ops import contrast as scale_contrast

NOISE = (0.08, 0.12, 0.18, 0.26, 0.38)  #: deviation, of the range of pixels
BLUR = (0.010, 0.015, 0.022, 0.032, 0.045)  #: deviation, of the shorter side
CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)  #: factor about the mean
BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)  #: added to every pixel
PIXELATE = (0.6, 0.5, 0.4, 0.3, 0.25)  #: side that is kept


def noise(images: Images, strength: int) -> Images:
    """Gaussian noise, drawn from torch's generator."""
    return (images + NOISE[strength - 1] * torch.randn_like(images)).clamp_(0, 1)


def blur(images: Images, strength: int) -> Images:
    """Gaussian blur."""
    side = min(images.shape[2:])
    sigma = BLUR[strength - 1] * side
    kernel = min(
        2 * round(3 * sigma + 0.5) + 1, 2 * ((side + 1) // 2) - 1
    )  # three deviations, where they fit
    return gaussian_blur(images, images.new_full((len(images),), sigma), kernel).clamp_(0, 1)


def contrast(images: Images, strength: int) -> Images:
    """Less contrast."""
    return scale_contrast(images, images.new_full((len(images),), CONTRAST[strength - 1]))


def brightness(images: Images, strength: int) -> Images:
    """More light in all channels."""
    return (images + BRIGHTNESS[strength - 1]).clamp_(0, 1)


def pixelate(images: Images, strength: int) -> Images:
    """Averaged to fewer pixels, and back by repeating them."""
    height, width = (max(1, round(PIXELATE[strength - 1] * n)) for n in images.shape[2:])
    few = F.adaptive_avg_pool2d(images, (height, width))
    return F.interpolate(few, size=images.shape[2:], mode="nearest-exact")


def _on_pixels(corrupt: Callable[[Images, int], Images]) -> Callable[[Tensor, int], Tensor]:
    """For images of uint8 too, which stay that."""

    def wrapped(images: Tensor, strength: int) -> Tensor:
        if images.dtype != torch.uint8:
            return corrupt(images, strength)
        return corrupt(images.float() / 255, strength).mul_(255).round_().to(torch.uint8)

    return wrapped


#: by name: of images, uint8 or float in [0, 1], and a strength
CORRUPTIONS = {f.__name__: _on_pixels(f) for f in (noise, blur, contrast, brightness, pixelate)}
