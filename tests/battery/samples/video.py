"""Clips small enough that a step takes milliseconds."""

import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset


def samples(n: int = 24, frames: int = 4, side: int = 8) -> Dataset:
    """Blobs of a colour of their own that move right or down: two classes."""
    g = torch.Generator().manual_seed(3)
    label = torch.arange(n) % 2
    start = 1 + torch.rand(n, 2, generator=g) * (side / 2 - 1)
    step = torch.stack([label, 1 - label], 1) * side / 2 / frames
    place = start[:, None] + step[:, None] * torch.arange(frames)[:, None]  # (n, frames, 2)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    far = (y - place[..., 0, None, None]).square() + (x - place[..., 1, None, None]).square()
    colour = 0.5 + 0.5 * torch.rand(n, 1, 1, 1, 3, generator=g)
    noise = 0.1 * torch.rand(n, frames, side, side, 3, generator=g)
    pixels = (torch.exp(-far / 2)[..., None] * colour + noise).clamp(0, 1) * 255
    return open_data((pixels.to(torch.uint8), label), modality="video")
