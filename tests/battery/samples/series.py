"""Series of three channels and 20 to 40 steps, so that every cell is run on lengths that differ."""

import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset


def samples(n: int = 24, channels: int = 3) -> Dataset:
    """Waves: each sample has a phase and an amplitude of its own, two classes by frequency."""
    g = torch.Generator().manual_seed(4)
    label = torch.arange(n) % 2
    series = []
    for i in range(n):
        length = int(torch.randint(20, 41, (1,), generator=g))
        phase = 6.28 * torch.rand(channels, 1, generator=g)
        time = torch.arange(length) * (0.3 + 0.5 * int(label[i]))
        noise = 0.1 * torch.randn(channels, length, generator=g)
        series.append(((0.5 + torch.rand(1, generator=g)) * torch.sin(time + phase) + noise, int(label[i])))
    return open_data(series)
