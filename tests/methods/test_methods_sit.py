"""SiT: what is not altered costs nothing, and the contrast starts where it should."""

import math

import pytest
import torch

from anyview.data.batch import Batch
from anyview.encoders import build
from anyview.errors import InputError
from anyview.methods.masked.sit import SiT
from anyview.views.image import two_views

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}


def method(encoder="vit-nano", **options):
    torch.manual_seed(0)
    return SiT(build(encoder, (3, 16, 16)), two_views(SPEC), **options)


def test_unaltered_pixels_do_not_reach_the_loss():
    m = method()
    q, k = torch.randn(2, 4, 8), torch.randn(2, 4, 8)
    prediction, target = torch.randn(2, 4, 16, 48), torch.randn(2, 4, 16, 48)
    altered = (torch.rand(2, 4, 16) < 0.5).long()
    other = torch.where(altered[..., None].bool(), target, target + 9)
    a, b = m.loss(q, k, prediction, target, altered), m.loss(q, k, prediction, other, altered)
    assert a["reconstruction"] == b["reconstruction"]
    assert m.loss(q, k, target, target, altered)["reconstruction"] == 0


def test_equal_vectors_cost_the_logarithm_of_the_batch():
    m = method()
    same = torch.ones(2, 32, 8)
    none = torch.zeros(2, 32, 16, 48)
    contrast = m.loss(same, same, none, none, torch.ones(2, 32, 16, dtype=torch.long))["contrast"]
    torch.testing.assert_close(contrast, torch.tensor(2 * 0.2 * 2 * math.log(32)))


def test_the_teacher_sees_clean_crops_of_the_other_view():
    m = method("convnet-s").eval()
    batch = Batch(torch.randint(0, 256, (6, 3, 16, 16), dtype=torch.uint8), torch.arange(6))
    views = m.make_views(batch)
    assert len(views) == 4
    found = m(views)
    with torch.no_grad():
        torch.testing.assert_close(found["key"][0], m.teacher(views[1].x))
    assert torch.equal(found["altered"][0].bool(), views[2].meta["altered"])


def test_contrast_at_the_start_is_near_that_of_chance():
    m, b = method(), 64
    batch = Batch(torch.randint(0, 256, (b, 3, 16, 16), dtype=torch.uint8), torch.arange(b))
    contrast = m.loss(**m(m.make_views(batch)))["contrast"].item()
    assert abs(contrast / (2 * 0.2 * 2 * math.log(b)) - 1) < 0.25


def test_the_projection_ends_in_a_norm_without_scale():
    m = method()
    last = m.projector[-1]
    assert isinstance(last, torch.nn.BatchNorm1d)
    assert last.weight is None
    assert last.bias is None


def test_learned_weights_are_smaller_for_the_larger_loss():
    m, x = method(weighting="uncertainty"), torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    out = m(m.make_views(Batch(x, torch.arange(4))))
    assert next(iter(out)) == "query"
    fixed = method().loss(**{k: v for k, v in out.items() if k != "log_scale"})
    terms = m.loss(**out)
    for name, term in fixed.items():  # at the start every s is 1
        torch.testing.assert_close(terms[name], term / 2)
    sum(terms.values()).backward()
    contrast, reconstruction = m.log_scale.grad.tolist()
    # 1 - L: the larger loss is pushed to the larger s
    assert (contrast < reconstruction) == (fixed["contrast"] > fixed["reconstruction"]).item()
    with pytest.raises(InputError, match="must both be above 0"):
        method(weighting="uncertainty", lambd=0.0)
    with pytest.raises(InputError, match="weighting"):
        method(weighting="none")


def test_a_vector_that_is_no_mean_of_tokens_is_asked_of_the_encoder():
    class Doubled(type(build("convnet-s", (3, 16, 16)))):
        def forward(self, x):
            return 2 * super().forward(x)

    m, x = method("convnet-s").eval(), torch.randn(2, 3, 16, 16)
    plain, _ = m.read(x)
    torch.testing.assert_close(plain, m.encoder(x))
    m.encoder.__class__ = Doubled
    torch.testing.assert_close(m.read(x)[0], 2 * plain)
