"""What convolutional encoders rebuild: the pixels under the cells of their last map."""

import pytest
import torch

from anyview.encoders import build
from anyview.encoders.tokenizers.image import patchify


@pytest.mark.parametrize("side", [16, 18])
def test_cells_are_patches_as_large_as_the_stride(side):
    encoder = build("convnet-s", (3, side, side))
    x = torch.randn(2, 3, side, side)
    targets = encoder.targets(x)
    assert torch.equal(targets.values, patchify(x, 4))
    assert targets.size == encoder.target_size == targets.values.shape[-1]
    assert targets.values.shape[1] == encoder.layout(x)[0].shape[1]
