"""Corruptions of images against scipy, numpy and torchvision, and that strength spoils more."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torchvision.transforms.v2 import functional as tv

from anyview.views.image_corruptions import BLUR, BRIGHTNESS, CONTRAST, CORRUPTIONS, NOISE


def photos(side: int = 24) -> torch.Tensor:
    """Smooth pictures with an edge."""
    g = torch.Generator().manual_seed(0)
    x = torch.nn.functional.interpolate(torch.rand(4, 3, 4, 4, generator=g), size=side, mode="bicubic")
    x[..., side // 2 :] += 0.2
    return x.clamp(0, 1)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_stronger_is_farther_from_the_clean_image(name: str) -> None:
    x = photos(40)
    before = x.clone()
    found = [CORRUPTIONS[name](x, strength) for strength in range(1, 6)]
    distance = [float((y - x).square().mean()) for y in found]
    assert distance[0] > 0
    assert distance == sorted(distance)
    assert all(y.shape == x.shape and y.min() >= 0 and y.max() <= 1 for y in found)
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_bytes_stay_bytes(name: str) -> None:
    x = (photos() * 255).round().to(torch.uint8)
    torch.manual_seed(0)
    pixels = CORRUPTIONS[name](x, 3)
    torch.manual_seed(0)
    wanted = CORRUPTIONS[name](x.float() / 255, 3)
    assert pixels.dtype == torch.uint8
    torch.testing.assert_close(pixels.float() / 255, wanted, atol=0.5 / 255 + 1e-6, rtol=0)


def test_blur_is_scipys_away_from_the_edge() -> None:
    x = photos(32)
    mine = CORRUPTIONS["blur"](x, 5)
    sigma = BLUR[4] * 32
    theirs = gaussian_filter(x.numpy(), sigma=(0, 0, sigma, sigma), mode="mirror", truncate=6)
    np.testing.assert_allclose(mine.numpy(), theirs, atol=5e-3)
    tiny = CORRUPTIONS["blur"](torch.rand(2, 1, 2, 2), 5)  # no kernel of three deviations fits
    assert tiny.shape == (2, 1, 2, 2)


def test_contrast_and_brightness_are_what_they_say() -> None:
    x = photos()
    for strength in (1, 5):
        wanted = torch.stack([tv.adjust_contrast(one, CONTRAST[strength - 1]) for one in x])
        torch.testing.assert_close(CORRUPTIONS["contrast"](x, strength), wanted, atol=1e-5, rtol=0)
        wanted = (x + BRIGHTNESS[strength - 1]).clamp(0, 1)
        torch.testing.assert_close(CORRUPTIONS["brightness"](x, strength), wanted)


def test_pixels_are_means_of_blocks_and_noise_has_its_deviation() -> None:
    x = photos(8)
    wanted = x.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2)).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(CORRUPTIONS["pixelate"](x, 2), wanted)
    grey = torch.full((8, 3, 32, 32), 0.5)
    assert float((CORRUPTIONS["noise"](grey, 1) - grey).std()) == pytest.approx(NOISE[0], rel=0.03)
