"""Histograms of oriented gradients against loops over pixels."""

import math

import pytest
import torch

from anyview.errors import InputError
from anyview.targets.hog import hog


def loops(x, cell, bins):
    channels, height, width = x.shape
    out = torch.zeros(channels, bins, height // cell, width // cell, dtype=x.dtype)

    def at(c, i, j):
        return float(x[c, min(max(i, 0), height - 1), min(max(j, 0), width - 1)])

    for c in range(channels):
        for i in range(height):
            for j in range(width):
                across, down = at(c, i, j + 1) - at(c, i, j - 1), at(c, i + 1, j) - at(c, i - 1, j)
                number = min(int(math.atan2(down, across) % math.pi / math.pi * bins), bins - 1)
                out[c, number, i // cell, j // cell] += math.hypot(across, down)
    return (out / out.square().sum(1, keepdim=True).sqrt().clamp_min(1e-12)).flatten(0, 1)


def test_is_the_loops():
    x = torch.rand(2, 3, 8, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = hog(x, 4)
    assert found.shape == (2, 27, 2, 3)
    for a, b in zip(found, x):
        torch.testing.assert_close(a, loops(b, 4, 9), atol=1e-9, rtol=0)


def test_contrast_and_brightness_do_not_matter_and_flat_is_zero():
    x = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(hog(3 * x + 5, 4), hog(x, 4), atol=1e-9, rtol=0)
    assert not hog(torch.ones(1, 3, 8, 8), 4).any()


def test_an_edge_has_one_orientation():
    x = torch.zeros(1, 1, 8, 8)
    x[..., 4:] = 1  # brightness changes across columns
    found = hog(x, 8)[0, :, 0, 0]
    assert found[0] == 1
    assert found[1:].abs().sum() == 0
    assert hog(x.mT, 8)[0, 4, 0, 0] == 1  # a right angle lies in the fifth of nine ranges


def test_sides_that_do_not_come_out_even_and_bad_cells():
    assert hog(torch.rand(1, 1, 9, 7), 4).shape == (1, 9, 3, 2)
    with pytest.raises(InputError, match="cells of 1 pixel"):
        hog(torch.rand(1, 1, 8, 8), 0)
