"""The hypernetwork against the weights it stands for, and what neither of them may do."""

import pytest
import torch

from anyview.encoders.hypernetwork import ConcatPredictor, HyperLinear
from anyview.errors import InputError


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_it_is_the_matrix_that_a_linear_map_makes():
    x, g = random(7, 5), random(7, 3, seed=1)
    layer = HyperLinear(5, 4, 3).double()
    hyper = torch.nn.Linear(3, 4 * 5, bias=False).double()
    with torch.no_grad():
        hyper.weight.copy_(layer.weight.permute(1, 2, 0).reshape(20, 3))
    made = hyper(g).view(7, 4, 5)
    torch.testing.assert_close(layer(x, g), (made @ x[:, :, None])[:, :, 0])
    torch.testing.assert_close(layer(x, g), torch.einsum("bk,koi,bi->bo", g, layer.weight, x))
    assert torch.autograd.gradcheck(layer, (x.requires_grad_(), g.requires_grad_()))


def test_without_a_condition_it_says_nothing_and_has_no_bias():
    layer, x = HyperLinear(5, 4, 3).double(), random(7, 5)
    assert layer(x, torch.zeros(7, 3)).abs().max() == 0
    assert layer(0 * x, random(7, 3)).abs().max() == 0
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    assert ConcatPredictor(5, 4, 3).double()(x, torch.zeros(7, 3)).abs().max() > 0


def test_it_keeps_the_scale_at_first():
    torch.manual_seed(0)
    g = torch.nn.functional.normalize(torch.randn(500, 2), dim=1)
    y = HyperLinear(256, 256, 2)(torch.randn(500, 256), g)
    assert y.std().item() == pytest.approx(1, abs=0.1)


def test_bad_widths():
    for widths in ((0, 4, 2), (4, 0, 2), (4, 4, 0)):
        with pytest.raises(InputError, match="1 or more"):
            HyperLinear(*widths)
