"""DINO's head: cosines with prototypes, a layer that can be held."""

import pytest
import torch
import torch.nn.functional as F

from anyview.encoders.heads import DINOHead, Prototypes
from anyview.errors import InputError


def test_prototypes_are_a_weight_normalised_layer_of_gain_one_on_unit_inputs():
    layer, x = Prototypes(6, 9), torch.randn(2, 4, 6)
    plain = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(6, 9, bias=False))
    with torch.no_grad():
        layer.weight.mul_(torch.rand(9, 1) + 0.5)
        plain.parametrizations.weight.original0.fill_(1.0)
        plain.parametrizations.weight.original1.copy_(layer.weight)
    torch.testing.assert_close(layer(x), plain(F.normalize(x, dim=-1)))
    torch.testing.assert_close(layer(5 * x), layer(x))
    assert layer(x).abs().max() <= 1 + 1e-6


def test_held_prototypes_have_a_gradient_of_zero_and_pass_it_on():
    layer, x = Prototypes(6, 9), torch.randn(4, 6, requires_grad=True)
    torch.testing.assert_close(layer(x, held=True), layer(x))
    layer(x, held=True).square().sum().backward()
    assert (layer.weight.grad == 0).all()
    assert x.grad.abs().max() > 0


def test_the_head_is_an_mlp_with_gelu_a_bottleneck_and_prototypes():
    head, x = DINOHead(10, 32, 4, 12), torch.randn(5, 10)
    linear = [m for m in head.mlp if isinstance(m, torch.nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(10, 32), (32, 32), (32, 4)]
    y = x
    for i, layer in enumerate(linear):
        y = F.linear(y, layer.weight, layer.bias)
        y = F.gelu(y) if i < 2 else F.normalize(y, dim=-1)
    torch.testing.assert_close(head(x), y @ F.normalize(head.prototypes.weight, dim=1).T)


@pytest.mark.parametrize(("inputs", "hidden"), [(64, 512), (384, 1536), (1024, 2048)])
def test_the_width_inside_follows_the_encoder(inputs, hidden):
    assert DINOHead(inputs, None, 8, 12).mlp[0].out_features == hidden


def test_bad_input():
    with pytest.raises(InputError, match="norm"):
        DINOHead(10, 32, 4, 12, norm="bach")
    with pytest.raises(InputError, match="DINO head"):
        DINOHead(10, 32, 4, 12, layers=0)
    with pytest.raises(InputError, match="prototypes"):
        Prototypes(10, 1)
