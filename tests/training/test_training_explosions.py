"""Gradient explosions: what is usual is learned, what is not is said once, and a resumed run knows it."""

import json
import math
from pathlib import Path

import pytest
import torch

from anyview.training.explosions import FACTOR, LISTED, SETTLED, Explosions
from anyview.training.health import Health
from anyview.training.module import Pretraining
from anyview.training.plan import make_plan
from anyview.training.run import train


def noted(norms, start: int = 0, into: Explosions | None = None) -> Explosions:
    into = into or Explosions()
    for step, norm in enumerate(norms, start):
        into.note(step, float(norm))
    return into


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_noise_and_slow_change_are_usual(scale: float) -> None:
    g = torch.Generator().manual_seed(0)
    noise = (0.5 * torch.randn(400, generator=g)).exp()
    fall = torch.linspace(0, math.log(1e-3), 400).exp()
    assert noted(scale * noise * fall).steps == 0
    assert noted(scale * noise.flip(0) / fall).steps == 0


def test_a_burst_is_one_explosion_and_counts_its_steps() -> None:
    ones = [1.0] * 50
    found = noted([*ones, 40.0, 90.0, 30.0, *ones])
    assert found.steps == 3
    assert [e.step for e in found.found] == [50]
    assert found.found[0].usual == pytest.approx(1.0)
    assert "step 50: gradient 40 times its usual norm" in found.said()


def test_the_bound_is_the_bound() -> None:
    assert noted([2.0] * 40 + [2 * FACTOR * 0.99]).steps == 0
    assert noted([2.0] * 40 + [2 * FACTOR * 1.01]).steps == 1


def test_nothing_is_usual_at_first_and_a_gradient_of_zero_is_none() -> None:
    assert noted([1.0] * (SETTLED - 1) + [1e6]).steps == 0
    assert noted([0.0] * 100 + [5.0] * 10).steps == 0
    assert noted([]).said() == ""


def test_a_new_level_becomes_usual() -> None:
    found = noted([1.0] * 50 + [100.0] * 300)
    assert 5 < found.steps < 100
    assert found.note(350, 100.0) is None


def test_the_list_is_short_however_many_there_are() -> None:
    found = Explosions()
    noted([1.0] * 30, into=found)
    for k in range(3 * LISTED):
        noted([*[1.0] * (2 * SETTLED), 50.0], start=30 + k * (2 * SETTLED + 1), into=found)
    assert len(found.found) == LISTED
    assert found.steps == 3 * LISTED


def test_a_resumed_run_knows_what_was_usual() -> None:
    norms = [1.0] * 60 + [25.0] + [1.0] * 30 + [70.0]
    whole, first = noted(norms), noted(norms[:61])
    second = Explosions()
    second.load_state(json.loads(json.dumps(first.state())))
    assert noted(norms[61:], start=61, into=second) == whole


def test_a_run_says_so_in_its_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = Pretraining._backward

    def backward(self, loss: torch.Tensor) -> None:
        inner(self, loss * 1e3 if self.global_step == 30 else loss)

    monkeypatch.setattr(Pretraining, "_backward", backward)
    notes: list[int] = []
    note = Health.note_gradient
    monkeypatch.setattr(
        Health, "note_gradient", lambda self, step, norm: notes.append(step) or note(self, step, norm)
    )
    x = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    plan = make_plan("simclr", x.numpy(), options={"epochs": 10, "batch_size": 16, "encoder.width": 4})
    train(plan, tmp_path)
    health = json.loads((tmp_path / "health.json").read_text())
    assert notes == list(range(40))
    assert health["exploded"] == 1
    assert [e["step"] for e in health["events"]] == [30]
    assert "The gradient exploded in one step (step 30: gradient" in health["verdict"]
