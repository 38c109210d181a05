"""Squares of one colour at one place, with captions that say so; labelled by colour."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image

from anyview.data import open as open_data
from anyview.data.source import Dataset

COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220)}
PLACES = {
    "at the top left": (1, 1),
    "at the top": (1, 5),
    "in the middle": (5, 5),
    "below on the right": (9, 9),
}
SIZES = {"small": 4, "large and wide": 6, "very large": 7}


def samples(n: int = 24) -> Dataset:
    rows = []
    for i in range(n):
        colour = list(COLOURS)[i % 2]
        place = list(PLACES)[i // 2 % 4]
        size = list(SIZES)[i // 8]
        pixels = np.full((16, 16, 3), 240, np.uint8)
        top, left = PLACES[place]
        pixels[top : top + SIZES[size], left : left + SIZES[size]] = COLOURS[colour]
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        caption = f"a {size} {colour} square {place}"
        rows.append({"image": {"bytes": file.getvalue(), "path": None}, "caption": caption, "label": colour})
    return open_data(pa.Table.from_pylist(rows))
