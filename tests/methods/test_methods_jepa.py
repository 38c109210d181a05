"""I-JEPA and FlexPredict: what the context may not see, and noise that is none."""

import pytest
import torch

from anyview.data.batch import Batch
from anyview.encoders import build
from anyview.errors import InputError
from anyview.methods.masked.flexpredict import FlexPredict
from anyview.methods.masked.i_jepa import IJEPA
from anyview.views.image import plain_view

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}


def method(cls=IJEPA, **options):
    torch.manual_seed(0)
    return cls(build("vit-nano", (3, 16, 16), patch=2), plain_view(SPEC), **options)


def out(m, x, seed=1):
    torch.manual_seed(seed)
    return m([Batch(x, torch.arange(len(x)))])


def test_sigma_of_zero_is_i_jepa_exactly():
    x = torch.randn(3, 3, 16, 16)
    a, b = out(method(), x), out(method(FlexPredict, sigma=0.0), x)
    assert torch.equal(a["target"], b["target"])
    assert torch.equal(a["prediction"], b["prediction"])


def test_noise_is_of_each_token_and_only_in_training():
    x = torch.randn(2, 3, 16, 16)
    m = method(FlexPredict)
    noise = m.noise(torch.zeros(4, 7, 96))
    assert len(noise.flatten(0, 1).unique(dim=0)) == 28
    assert 0.23 < noise.std() < 0.27
    m.eval()
    assert torch.equal(out(m, x)["prediction"], out(method().eval(), x)["prediction"])


def test_predictions_spread_with_sigma_and_not_without():
    x, spreads = torch.randn(2, 3, 16, 16), []
    for sigma in (0.0, 0.25, 1.0):
        m = method(FlexPredict, sigma=sigma)
        coords, valid = m.encoder.layout(x)
        known = m.encoder.tokens(x, coords[..., 0] > 3)
        places, target = coords[:, -9:], torch.zeros(2, 9, m.encoder.dim)
        draws = [m.predictor(known, places, valid[:, -9:], m.noise(target)) for _ in range(5)]
        spreads.append(torch.stack(draws).std(0).mean().item())
    assert spreads[0] == 0 < spreads[1] < spreads[2]


def test_a_negative_sigma_is_refused():
    with pytest.raises(InputError, match="sigma is -1"):
        method(FlexPredict, sigma=-1.0)


def test_targets_have_mean_0_and_deviation_1_and_no_gradient():
    found = out(method(), torch.randn(2, 3, 16, 16))
    target = found["target"][found["valid"]]
    torch.testing.assert_close(target.mean(-1), torch.zeros(len(target)), atol=1e-5, rtol=0)
    torch.testing.assert_close(target.var(-1, correction=0), torch.ones(len(target)), atol=1e-3, rtol=0)
    assert not target.requires_grad


def test_the_teacher_moves_to_the_student_by_the_momentum():
    m = method(momentum=0.9)
    weight = m.encoder.norm.weight
    with torch.no_grad():
        weight += 1.0
    m.progress = 0.5  # half the way from 0.9 to 1
    m.after_step()
    torch.testing.assert_close(m.teacher.module.norm.weight, torch.full_like(weight, 1.05))


def test_a_teacher_without_memory_is_the_student():
    m = method(momentum=0.0, end_momentum=0.0)
    with torch.no_grad():
        m.encoder.norm.weight += 1.0
    m.progress = 0.5
    m.after_step()
    assert torch.equal(m.teacher.module.norm.weight, m.encoder.norm.weight)


@pytest.mark.parametrize("cls", [IJEPA, FlexPredict])
def test_what_is_hidden_does_not_reach_the_prediction(cls, monkeypatch):
    from anyview.methods.masked import i_jepa as module

    def rows(coords, valid, **options):  # two target blocks in the upper half; the context is the last row
        row = coords[..., 0]
        return torch.stack([row < 2, (row >= 2) & (row < 4)], 1), row == 7

    monkeypatch.setattr(module, "multi_block", rows)
    m = method(cls, blocks=2).eval()
    x = torch.randn(2, 3, 16, 16)
    other = x.clone()
    other[:, :, :14] = torch.randn(2, 3, 14, 16)
    with torch.no_grad():
        a, b = out(m, x), out(m, other)
    torch.testing.assert_close(a["prediction"], b["prediction"])
    assert not torch.allclose(a["target"], b["target"], atol=0.1)
