"""Volumes small enough that a step takes milliseconds."""

import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset


def samples(n: int = 24, side: int = 8) -> Dataset:
    """Blobs at places of their own, two classes by their size."""
    g = torch.Generator().manual_seed(3)
    place = 2 + torch.rand(n, 3, 1, 1, 1, generator=g) * (side - 4)
    axis = torch.arange(side)
    at = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))
    label = torch.arange(n) % 2
    width = (1.5 + 3.0 * label).view(-1, 1, 1, 1)
    blob = torch.exp(-(at - place).square().sum(1) / width)
    noise = 0.1 * torch.rand(n, side, side, side, generator=g)
    voxels = ((0.9 * blob + noise).clamp(0, 1) * 255).to(torch.uint8)
    return open_data((voxels, label), modality="volume")
