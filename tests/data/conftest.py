import os

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photo():
    """Writes an image of random content: photo(path, size=(width, height), mode="RGB")."""
    rng = np.random.default_rng(0)

    def write(path, size=(40, 30), mode="RGB", **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
        image.convert(mode).save(path, **options)
        return path

    return write


@pytest.fixture
def shared_data():
    root = os.environ.get("ANYVIEW_DATA")
    if not root or not os.path.isdir(root):
        pytest.skip("ANYVIEW_DATA is not set to a folder of datasets")
    return root
