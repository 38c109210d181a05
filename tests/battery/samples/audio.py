"""Recordings so short that a step takes milliseconds."""

import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset


def samples(n: int = 24, rate: int = 8000) -> Dataset:
    """Tones of 0.05 to 0.2 s, each of a pitch of its own and with a little noise, two classes by pitch."""
    g = torch.Generator().manual_seed(3)
    label = torch.arange(n) % 2
    pitch = 300 + 900 * label + 300 * torch.rand(n, generator=g)
    length = torch.randint(400, 1600, (n,), generator=g)
    waves = []
    for i in range(n):
        time = torch.arange(int(length[i])) / rate
        tone = torch.sin(2 * torch.pi * pitch[i] * time) * (0.2 + 0.3 * torch.rand((), generator=g))
        waves.append((tone + 0.01 * torch.randn(len(time), generator=g)).numpy())
    return open_data(list(zip(waves, label.tolist())), modality="audio", size=rate)
