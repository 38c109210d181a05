"""Images small enough that a step takes milliseconds."""

import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset


def samples(n: int = 24, channels: int = 3, side: int = 16) -> Dataset:
    """Coloured blobs: each sample has a place and a colour of its own, two classes by colour."""
    g = torch.Generator().manual_seed(3)
    place = torch.rand(n, 2, 1, 1, generator=g) * side
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    blob = torch.exp(-((x - place[:, 0]) ** 2 + (y - place[:, 1]) ** 2) / (side / 2))
    label = torch.arange(n) % 2
    colour = torch.rand(n, channels, 1, 1, generator=g) * 0.5 + 0.5 * label.view(-1, 1, 1, 1)
    noise = 0.1 * torch.rand(n, channels, side, side, generator=g)
    pixels = ((blob[:, None] * colour + noise).clamp(0, 1) * 255).to(torch.uint8)
    return open_data((pixels, label))
