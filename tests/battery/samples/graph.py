"""Graphs small enough that a step takes milliseconds."""

from types import SimpleNamespace

import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset


def samples(n: int = 24) -> Dataset:
    """Rings and stars with tails, labels of nodes at random but for the class's own; sizes differ."""
    g = torch.Generator().manual_seed(3)
    graphs = []
    for i in range(n):
        size, tail = int(torch.randint(5, 9, (), generator=g)), int(torch.randint(1, 4, (), generator=g))
        ring = torch.arange(size)
        edges = [ring, (ring + 1) % size] if i % 2 else [torch.zeros(size - 1, dtype=torch.int64), ring[1:]]
        line = torch.arange(size - 1, size + tail - 1)
        edge_index = torch.cat([torch.stack(edges), torch.stack([line, line + 1])], 1)
        kind = torch.randint(0, 4, (size + tail,), generator=g)
        x = torch.nn.functional.one_hot(torch.where(kind == 0, i % 2, kind), 4).float()
        graphs.append(SimpleNamespace(x=x, edge_index=edge_index, y=torch.tensor([i % 2])))
    return open_data(graphs)
