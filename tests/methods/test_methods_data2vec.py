"""What is data2vec's own: targets of the whole sample, a loss on hidden tokens, a teacher that only averages."""

import pytest
import torch

from anyview.data.batch import Batch
from anyview.encoders import build
from anyview.errors import InputError
from anyview.methods.masked.data2vec import Data2Vec
from anyview.views.image import plain_view

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}


def method(**options) -> Data2Vec:
    torch.manual_seed(0)
    return Data2Vec(build("vit-nano", (3, 16, 16)), plain_view(SPEC), **options)


def batch(n: int = 3) -> list[Batch]:
    return [Batch(torch.randn(n, 3, 16, 16), torch.arange(n))]


def test_targets_do_not_depend_on_the_mask_or_on_dropout() -> None:
    m, views = method(), batch()
    m.train()
    valid = m.encoder.layout(views[0].x)[1]
    first = m.targets(views[0].x, valid)
    m(views)
    assert torch.equal(first, m.targets(views[0].x, valid))
    assert not m.teacher.module.training


def test_the_student_does_not_see_what_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(coords, valid, ratio, **_):
        return (torch.arange(coords.shape[1]) < 8).expand(len(coords), -1)

    monkeypatch.setattr("anyview.methods.masked.data2vec.block_mask", first)
    m, views = method().eval(), batch()
    other = views[0].x.clone()
    other[:, :, :8] += 1.0  # the hidden half
    with torch.no_grad():
        a, b = m(views), m([views[0].with_x(other)])
    assert torch.equal(a["prediction"], b["prediction"])
    assert not torch.allclose(a["target"], b["target"])
    assert a["prediction"].shape == (3, 8, m.encoder.dim)


def test_the_teacher_is_the_closed_form_and_shares_what_comes_before_the_transformer() -> None:
    m = method(momentum=0.9, end_momentum=0.9)
    start = m.encoder.trunk.blocks[0].mlp[0].weight.detach().clone()
    for _ in range(3):
        with torch.no_grad():
            for p in m.encoder.parameters():
                p += 0.1
        m.after_step()
    wanted = start + 0.1 * (3 - (0.9 + 0.9**2 + 0.9**3))
    averaged = m.teacher.module
    torch.testing.assert_close(averaged.trunk.blocks[0].mlp[0].weight, wanted, atol=1e-5, rtol=0)
    assert torch.equal(averaged.tokenizer.linear.weight, m.encoder.tokenizer.linear.weight)
    assert not any(p.requires_grad for p in m.teacher.parameters())


def test_momentum_rises_along_the_ramp_and_stays() -> None:
    m, seen = method(momentum=0.9, end_momentum=0.99, ramp=0.5), []
    m.teacher.update = lambda student, momentum: seen.append(momentum)
    for m.progress in (0.0, 0.25, 0.5, 1.0):
        m.after_step()
    assert seen == pytest.approx([0.9, 0.945, 0.99, 0.99])


def test_one_layer_without_normalisation_is_that_layer_of_the_teacher() -> None:
    from anyview.targets.contextual import feed_forward_outputs

    m, views = method(top_layers=1, normalise="none"), batch()
    valid = m.encoder.layout(views[0].x)[1]
    with torch.no_grad():
        last = feed_forward_outputs(m.teacher.module, views[0].x)[-1]
    torch.testing.assert_close(m.targets(views[0].x, valid), last)


def test_targets_tell_tokens_apart_unless_each_is_normalised_alone() -> None:
    """Over a sample's tokens every value has mean 0; of a token normalised alone the values themselves have."""
    views = batch()
    valid = method().encoder.layout(views[0].x)[1]
    over_tokens = method().targets(views[0].x, valid)
    torch.testing.assert_close(over_tokens.mean(1), torch.zeros(3, over_tokens.shape[2]), atol=1e-5, rtol=0)
    alone = method(normalise="layer").targets(views[0].x, valid)
    torch.testing.assert_close(alone.mean(2), torch.zeros(alone.shape[:2]), atol=1e-5, rtol=0)
    # what is one same vector for all tokens is nothing of the one and much of the other
    assert over_tokens.mean((0, 1)).square().mean() < 0.01 * over_tokens.square().mean()
    assert alone.mean((0, 1)).square().mean() > 0.3 * alone.square().mean()


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(InputError, match="top_layers is 9"):
        method(top_layers=9)
    with pytest.raises(InputError, match="convnet-s cannot"):
        Data2Vec(build("convnet-s", (3, 16, 16)), plain_view(SPEC))
