"""Event histories of different length, small enough that a step takes milliseconds."""

import pyarrow as pa
import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset


def samples(n: int = 24) -> Dataset:
    """Two classes of users, who buy different things at different prices; one of them bought once."""
    g = torch.Generator().manual_seed(3)
    rows = []
    for user in range(n):
        time = 1.7e9
        for _ in range(1 if user == 5 else 3 + int(torch.randint(9, (1,), generator=g))):
            time += 3600 * float(torch.rand(1, generator=g)) * (1 + user % 2)
            thing = int(torch.randint(3, (1,), generator=g)) + 2 * (user % 2)
            price = thing + float(torch.rand(1, generator=g))
            row = {"user": user, "timestamp": int(time), "item": "abcdef"[thing]}
            rows.append(row | {"price": None if thing == 2 else price, "label": user % 2})
    return open_data(pa.Table.from_pylist(rows), modality="events")
