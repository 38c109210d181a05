"""The centre against the sums it stands for; which variant it is."""

import math

import pytest
import torch
from torch import nn

from anyview.errors import InputError
from anyview.targets.centre import Centre
from anyview.training.gather import pool


def test_it_is_the_running_mean_of_raw_logits_from_zero_on_by_equation_4():
    centre, value = Centre(5), torch.zeros(5)
    for step in range(4):
        crops = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(step)) + 3
        found = centre(crops, 0.04)
        torch.testing.assert_close(found, ((crops - value) / 0.04).softmax(-1))  # by the batches before
        before = centre.value.clone()
        centre.note(crops)
        assert torch.equal(centre.value, before)
        centre.update()
        value = 0.9 * value + 0.1 * crops.flatten(0, 1).mean(0)  # of both crops at once; not of probabilities
        torch.testing.assert_close(centre.value, value)


def test_chunks_of_a_step_are_one_mean_and_a_step_without_logits_moves_nothing():
    x = torch.randn(2, 9, 4)
    whole, parts = Centre(4, 0.5), Centre(4, 0.5)
    whole.note(x)
    for part in (x[:, :2], x[:, 2:3], x[:, 3:]):
        parts.note(part)
    for centre in (whole, parts):
        centre.update()
    torch.testing.assert_close(whole.value, parts.value)
    before = whole.value.clone()
    whole.update()
    assert torch.equal(whole.value, before)


def test_nothing_is_noted_where_no_step_is_made_and_nothing_of_a_step_is_kept():
    centre = Centre(3).eval()
    centre.note(torch.ones(4, 3))
    assert centre.count == 0
    centre.train().note(torch.ones(4, 3))
    assert list(centre.state_dict()) == ["value"]


def test_momentum_of_one_is_no_centring():
    centre = Centre(3, momentum=1.0)
    centre.note(torch.randn(4, 3))
    centre.update()
    assert torch.equal(centre.value, torch.zeros(3))


def test_targets_have_no_gradient_and_full_precision():
    logits = torch.randn(4, 6, requires_grad=True)
    assert not Centre(6)(logits, 0.1).requires_grad
    found = Centre(6)(logits.detach().bfloat16(), 0.1)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.sum(1), torch.ones(4))


def test_centring_alone_is_uniform_and_sharpening_alone_one_prototype():
    common = torch.tensor([0.9, 0.1, 0.0, -0.2])
    logits = common + 1e-3 * torch.randn(50, 4)
    sharp = Centre(4)(logits, 0.01)
    assert (sharp.argmax(1) == 0).all()
    assert -(sharp * sharp.clamp_min(1e-30).log()).sum(1).mean() < 1e-3
    centred = Centre(4, momentum=0.0)
    centred.note(logits)
    centred.update()
    soft = centred(logits, 1.0)
    assert -(soft * soft.log()).sum(1).mean().item() == pytest.approx(math.log(4), abs=1e-4)


def test_one_process_has_nothing_to_add_up():
    method = nn.ModuleDict({"centre": Centre(3)})
    method["centre"].note(torch.ones(4, 3))
    pool(method)
    assert method["centre"].count == 4


def test_bad_input():
    with pytest.raises(InputError, match="momentum"):
        Centre(3, momentum=1.5)
    with pytest.raises(InputError, match="temperature"):
        Centre(3)(torch.zeros(2, 3), 0.0)
