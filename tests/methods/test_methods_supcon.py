"""What is SupCon's own: labels reach its loss, and data without them is refused in words."""

import pytest
import torch

from anyview.data import open as open_data
from anyview.encoders import build
from anyview.errors import InputError
from anyview.methods.contrastive.supcon import SupCon
from anyview.objectives.contrastive import nt_xent
from anyview.training.plan import make_plan
from anyview.views.image import two_views

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}
PIXELS = torch.randint(0, 255, (12, 3, 16, 16), dtype=torch.uint8)


def supcon() -> SupCon:
    return SupCon(build("convnet-s", (3, 16, 16), width=8), two_views(SPEC))


def test_labels_travel_with_the_embeddings() -> None:
    label = torch.arange(12) % 3
    batch = open_data((PIXELS, label)).train.fetch(torch.arange(12))
    method = supcon()
    found = method(method.make_views(batch))
    assert found["z"].shape[:2] == (2, 12)
    assert torch.equal(found["label"], label[None])
    one = method.loss(**found)
    other = method.loss(found["z"], torch.arange(12)[None] // 4)
    assert not torch.equal(one, other)
    torch.testing.assert_close(method.loss(found["z"], torch.arange(12)[None]), nt_xent(found["z"], 0.1))


def test_without_classes_it_says_so() -> None:
    with pytest.raises(InputError, match="trains on classes"):
        make_plan("supcon", PIXELS, options={"epochs": 1})
    views = [v.without_label() for v in supcon().views(open_data(PIXELS).train.fetch(torch.arange(4)))]
    with pytest.raises(InputError, match="have none"):
        supcon()(views)
