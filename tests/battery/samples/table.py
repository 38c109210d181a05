"""A table of numbers, categories and missing cells, small enough that a step takes milliseconds."""

import pyarrow as pa
import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset


def samples(n: int = 24) -> Dataset:
    """Two classes that differ in a number, a category and how often a cell is missing."""
    g = torch.Generator().manual_seed(3)
    label = torch.arange(n) % 2
    height = (label + torch.randn(n, generator=g)).tolist()
    weight = [h + 0.3 * e for h, e in zip(height, torch.randn(n, generator=g).tolist())]
    colour = [("red", "green", "blue")[int(i)] for i in torch.randint(2, (n,), generator=g) + label]
    columns = {
        "height": height,
        "weight": [None if i % 5 == 0 else w for i, w in enumerate(weight)],
        "colour": [None if i % 7 == 0 else c for i, c in enumerate(colour)],
        "owned": [i % 3 == 0 for i in range(n)],
        "label": label.tolist(),
    }
    return open_data(pa.table(columns), modality="table")
