"""Projectors and predictors are those of the papers."""

import pytest
import torch
from torch import nn

from anyview.encoders import mlp, predictor, projector
from anyview.errors import InputError


def plan(head: nn.Sequential) -> list[str]:
    names = {nn.Linear: "linear", nn.BatchNorm1d: "bn", nn.LayerNorm: "ln", nn.ReLU: "relu"}
    return [names[type(layer)] for layer in head]


def test_heads_of_the_papers():
    simclr = projector(512, 2048, 128)
    assert plan(simclr) == ["linear", "bn", "relu", "linear"]
    vicreg = projector(512, 1024, 1024, layers=3)
    assert plan(vicreg) == ["linear", "bn", "relu", "linear", "bn", "relu", "linear"]
    byol = predictor(256, 4096)
    assert [layer.weight.shape for layer in byol if isinstance(layer, nn.Linear)] == [
        (4096, 256),
        (256, 4096),
    ]
    assert plan(projector(8, 8, 8, layers=1)) == ["linear"]


def test_a_linear_layer_before_a_norm_has_no_bias():
    head = mlp([4, 5, 6], last_norm=True)
    assert plan(head) == ["linear", "bn", "relu", "linear", "bn"]
    assert head[0].bias is None
    assert head[3].bias is None
    assert mlp([4, 5, 6])[3].bias is not None
    assert mlp([4, 5, 6], last_bias=False)[3].bias is None
    assert mlp([4, 5, 6], norm="none")[0].bias is not None


@pytest.mark.parametrize(("norm", "couples"), [("batch", True), ("layer", False), ("none", False)])
def test_which_norms_couple_samples(norm, couples):
    torch.manual_seed(0)
    head = projector(4, 16, 3, norm=norm)
    x = torch.randn(6, 4)
    alone = head(x[:3])
    assert torch.allclose(head(x)[:3], alone, atol=1e-5) is not couples


def test_wrong_heads():
    with pytest.raises(InputError, match='no norm "bach"; did you mean "batch"'):
        mlp([4, 4], norm="bach")
    with pytest.raises(InputError, match="input and an output width"):
        mlp([4])
