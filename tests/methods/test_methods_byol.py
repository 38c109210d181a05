"""What is BYOL's own: the teacher's movement, and two view distributions."""

import copy

import pytest
import torch
from torch import nn

from anyview.data import open as open_data
from anyview.encoders import build
from anyview.methods.distillation.byol import BYOL
from anyview.training.plan import make_plan
from anyview.views.image import two_views

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}


def byol(**options) -> BYOL:
    return BYOL(build("convnet-s", (3, 16, 16), width=8), two_views(SPEC), **options)


def nudge(module: nn.Module) -> None:
    with torch.no_grad():
        for p in module.parameters():
            p.add_(1.0)


def test_momentum_of_one_keeps_the_teacher_at_initialisation() -> None:
    method = byol(momentum=1.0)
    before = copy.deepcopy(method.teacher.state_dict())
    nudge(method.encoder)
    method.after_step()
    assert all(torch.equal(v, before[k]) for k, v in method.teacher.state_dict().items())


def test_momentum_of_zero_makes_the_teacher_the_student() -> None:
    method = byol(momentum=0.0)
    nudge(method.encoder)
    method.after_step()
    for mine, theirs in zip(method.encoder.parameters(), method.teacher.module[0].parameters()):
        assert torch.equal(mine, theirs)


def test_momentum_rises_to_one_with_progress() -> None:
    method = byol(momentum=0.5)
    nudge(method.encoder)
    method.progress = 1.0
    before = copy.deepcopy(method.teacher.state_dict())
    method.after_step()
    assert all(torch.equal(v, before[k]) for k, v in method.teacher.state_dict().items())


def test_the_target_has_no_gradient_and_the_teacher_no_predictor() -> None:
    method = byol()
    x = torch.randint(0, 255, (4, 3, 16, 16), dtype=torch.uint8)
    views = method.views(open_data(x).train.fetch(torch.arange(4)))
    found = method(views)
    assert found["prediction"].requires_grad
    assert not found["target"].requires_grad
    assert len(method.teacher.module) == 2


def test_the_two_views_come_from_two_distributions() -> None:
    x = torch.randint(0, 255, (200, 3, 16, 16), dtype=torch.uint8)
    plan = make_plan("byol", x, options={"epochs": 1})
    first, second = plan.method.views(plan.dataset.train.fetch(torch.arange(200)))
    solarised = [float(v.meta["solarise"].double().mean()) for v in (first, second)]
    assert solarised[0] == 0.0
    assert solarised[1] == pytest.approx(0.2, abs=0.1)


def test_momentum_scales_with_the_data() -> None:
    small, large = BYOL.scaled(1_000, 64)["momentum"], BYOL.scaled(1_281_167, 4096)["momentum"]
    assert 0.9 < small < large
    assert 0.99 <= large <= 0.996  # between the settings of 300 and of 1,000 epochs
