"""What is MoCo's own: whose keys are negatives, and which way views are compared."""

import pytest
import torch
from torch import nn

from anyview.data import open as open_data
from anyview.encoders import build
from anyview.methods.contrastive.mocov2 import MoCoV2
from anyview.methods.contrastive.mocov3 import MoCoV3
from anyview.methods.contrastive.nnclr import NNCLR
from anyview.objectives.queries import in_batch_info_nce, info_nce
from anyview.views.image import two_views

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}
BATCH = open_data(torch.randint(0, 255, (6, 3, 16, 16), dtype=torch.uint8)).train.fetch(torch.arange(6))


def built(cls, **options):
    return cls(build("convnet-s", (3, 16, 16), width=8), two_views(SPEC), **options)


def test_a_batch_meets_the_keys_before_it_and_never_its_own() -> None:
    method = built(MoCoV2, queue_length=12)
    start = method.queue.filled().clone()
    first = method(method.make_views(BATCH))
    torch.testing.assert_close(method.loss(**first), info_nce(first["query"], first["key"], start, 0.2))
    assert torch.equal(method.queue.filled(), start)
    method.after_step()
    assert sorted(method.queue.filled()[:6, 0].tolist()) == sorted(first["key"][0, :, 0].tolist())
    assert torch.equal(method.queue.filled()[6:], start[6:])


@pytest.mark.parametrize("symmetric", [False, True])
def test_one_way_or_both(symmetric: bool) -> None:
    method = built(MoCoV2, queue_length=12, symmetric=symmetric).eval()
    views = method.make_views(BATCH)
    found = method(views)
    assert len(found["query"]) == len(found["key"]) == 1 + symmetric
    torch.testing.assert_close(found["key"][0], method.teacher(views[1].x))
    torch.testing.assert_close(found["query"][0], method.project(views[0].x))
    assert found["query"].requires_grad
    assert not found["key"].requires_grad


def test_momentum_is_constant_in_v2_and_rises_in_v3() -> None:
    for cls, moves in ((MoCoV2, True), (MoCoV3, False)):
        method = built(cls, momentum=0.5)
        before = next(method.teacher.parameters()).clone()
        with torch.no_grad():
            next(method.encoder.parameters()).add_(1.0)
        method.progress = 1.0
        method.after_step()
        assert (not torch.equal(next(method.teacher.parameters()), before)) == moves


def test_v3_compares_each_prediction_with_the_keys_of_the_other_view() -> None:
    method = built(MoCoV3).eval()
    views = method.make_views(BATCH)
    found = method(views)
    one, two = (method.student(v.x) for v in views)
    k1, k2 = (method.teacher(v.x) for v in views)
    ctr = [2 * 0.2 * in_batch_info_nce(q[None], k[None], 0.2) for q, k in ((one, k2), (two, k1))]
    torch.testing.assert_close(method.loss(**found), ctr[0] + ctr[1])


def test_nnclr_takes_the_neighbour_of_one_view_for_the_prediction_of_the_other() -> None:
    method = built(NNCLR, queue_length=20).eval()
    found = method(method.make_views(BATCH))
    torch.testing.assert_close(method.loss(**found), in_batch_info_nce(found["z"], found["prediction"], 0.1))
    method.after_step()
    assert torch.equal(method.queue.filled(), found["z"][0])
    method.queue.push(torch.randn(10, 256))
    held = method.queue.filled()
    cosine = nn.functional.normalize(found["z"], dim=-1) @ nn.functional.normalize(held, dim=-1).T
    expected = in_batch_info_nce(held[cosine.argmax(-1)], found["prediction"], 0.1)
    torch.testing.assert_close(method.loss(**found), expected)
    views = method.make_views(BATCH)
    z = torch.stack([method.projector(method.encoder(v.x)) for v in views])
    torch.testing.assert_close(
        method(views)["prediction"], method.predictor(z.flatten(0, 1)).view_as(z).flip(0)
    )
