"""SimMIM on both kinds of encoder, and MaskFeat's targets beside the patches."""

import pytest
import torch

from anyview.data.batch import Batch
from anyview.encoders import build
from anyview.errors import InputError
from anyview.methods.masked import simmim as module
from anyview.methods.masked.maskfeat import MaskFeat
from anyview.methods.masked.simmim import SimMIM
from anyview.targets.hog import hog
from anyview.views.image import plain_view

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}


@pytest.mark.parametrize("encoder", ["vit-nano", "convnet-s"])
def test_hidden_pixels_do_not_reach_the_prediction(encoder, monkeypatch):
    def upper(coords, valid, ratio):
        return coords[..., 0] < 3

    monkeypatch.setattr(module, "random_mask", upper)
    m = SimMIM(build(encoder, (3, 16, 16)), plain_view(SPEC)).eval()
    x = torch.randn(2, 3, 16, 16)
    other = x.clone()
    other[:, :, :12] = torch.randn(2, 3, 12, 16)
    with torch.no_grad():
        a, b = (m([Batch(t, torch.arange(2))]) for t in (x, other))
    assert torch.equal(a["prediction"], b["prediction"])
    assert not torch.equal(a["target"], b["target"])
    assert m.loss(a["target"], a["target"], a["valid"]) == 0


@pytest.mark.parametrize(("patch", "size"), [(4, 27), (8, 108)])
def test_maskfeat_targets_are_the_cells_of_each_patch(patch, size):
    m = MaskFeat(build("vit-nano", (3, 16, 16), patch=patch), plain_view(SPEC))
    x = torch.randn(2, 3, 16, 16)
    values = m.targets(x)
    assert values.shape == (2, (16 // patch) ** 2, size)
    alone = hog(x, 4)[:, :, : patch // 4, : patch // 4]
    assert torch.equal(values[:, 0], alone.permute(0, 2, 3, 1).flatten(1))
    with pytest.raises(InputError, match="must divide the patch"):
        MaskFeat(build("vit-nano", (3, 16, 16), patch=patch), plain_view(SPEC), cell=3)


def test_maskfeat_of_sides_that_do_not_come_out_even():
    m = MaskFeat(build("vit-nano", (3, 18, 17)), plain_view(SPEC | {"shape": [3, 18, 17]}, size=17))
    x = torch.randn(2, 3, 17, 17)
    assert m.targets(x).shape[1] == m.encoder.layout(x)[0].shape[1]
