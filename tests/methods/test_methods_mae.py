"""What is MAE's own: it sees only what is visible, and is judged only on what is hidden."""

import pytest
import torch

from anyview.encoders import build
from anyview.errors import InputError
from anyview.methods.masked import mae as module
from anyview.methods.masked.mae import MAE
from anyview.views.image import plain_view

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}


@pytest.fixture
def method(monkeypatch: pytest.MonkeyPatch) -> MAE:
    """MAE that hides the first three quarters of the patches."""

    def first(coords, valid, ratio):
        hidden = torch.arange(coords.shape[1]) < round(ratio * coords.shape[1])
        return hidden.expand(len(coords), -1)

    monkeypatch.setattr(module, "random_mask", first)
    return MAE(build("vit-nano", (3, 16, 16)), plain_view(SPEC)).eval()


def batch(x: torch.Tensor):
    from anyview.data.batch import Batch

    return [Batch(x, torch.arange(len(x)))]


def test_hidden_pixels_do_not_reach_the_prediction(method: MAE) -> None:
    x = torch.randn(2, 3, 16, 16)
    other = x.clone()
    other[:, :, :12] = torch.randn(2, 3, 12, 16)  # rows of the hidden patches
    with torch.no_grad():
        a, b = method(batch(x)), method(batch(other))
    assert torch.equal(a["prediction"], b["prediction"])
    assert not torch.equal(a["target"], b["target"])


def test_visible_pixels_do(method: MAE) -> None:
    x = torch.randn(2, 3, 16, 16)
    other = x.clone()
    other[:, :, 12:] += 1.0
    with torch.no_grad():
        a, b = method(batch(x)), method(batch(other))
    assert not torch.allclose(a["prediction"], b["prediction"])
    assert torch.equal(a["target"], b["target"])


def test_a_perfect_prediction_costs_nothing(method: MAE) -> None:
    target = torch.randn(2, 12, 48)
    var, mean = torch.var_mean(target, -1, keepdim=True)
    valid = torch.ones(2, 12, dtype=torch.bool)
    assert float(method.loss((target - mean) / (var + 1e-6).sqrt(), target, valid)) < 1e-10


def test_pictures_show_what_was_left_and_what_was_rebuilt(method: MAE) -> None:
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        shown = method.pictures(batch(x))
    assert torch.equal(shown["visible"][:, :, 12:], x[:, :, 12:])
    assert not shown["visible"][:, :, :12].any()
    assert torch.equal(shown["rebuilt"][:, :, 12:], x[:, :, 12:])
    assert not torch.equal(shown["rebuilt"][:, :, :12], x[:, :, :12])


def test_an_encoder_that_cannot_drop_is_refused_with_one_that_can() -> None:
    with pytest.raises(InputError, match="convnet-s cannot; try --encoder transformer-nano"):
        MAE(build("convnet-s", (3, 16, 16)), plain_view(SPEC))
