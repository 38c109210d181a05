"""Numbers that go bad are caught where they appear, named, and do no harm."""

import warnings
from pathlib import Path

import pytest
import torch

from anyview.data.loader import Loader
from anyview.data.source import MemorySource, StreamSource
from anyview.errors import RunError
from anyview.methods.contrastive.simclr import SimCLR
from anyview.training import module
from anyview.training.checkpoint import read
from anyview.training.module import Pretraining
from anyview.training.plan import Plan, make_plan
from anyview.training.run import train

PIXELS = torch.randint(0, 256, (48, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
BAD = (7, 30)


def plan(**options: object) -> Plan:
    """6 steps an epoch, 12 in all."""
    quick = {"batch_size": 8, "log_steps": 1, "health": False, "checkpoint_steps": 2, "epochs": 2}
    return make_plan("simclr", PIXELS, options={**quick, **options})


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A plan two of whose samples make the network's input infinite, as a broken sensor would."""
    made = plan()
    inner, views = made.modality.inputs, SimCLR.make_views
    rows = PIXELS[list(BAD)]

    def spoiled(x, spec):
        bad = (x[:, None].cpu() == rows[None]).flatten(2).all(2).any(1)
        return torch.where(bad[:, None, None, None], torch.inf, inner(x, spec))

    def make_views(self, batch):
        bad = torch.isin(batch.index, torch.tensor(BAD))[:, None, None, None]
        return [v.with_x(torch.where(bad, torch.inf, v.x)) for v in views(self, batch)]

    monkeypatch.setattr(type(made.modality), "inputs", lambda self, x, spec: spoiled(x, spec))
    monkeypatch.setattr(SimCLR, "make_views", make_views)
    return made


def first_bad_step(made: Plan) -> int:
    loader = Loader(made.source, made.batch_size, seed=made.seed)
    return next(s for s in range(12) if set(BAD) & set(loader.indices(s).tolist()))


def test_samples_that_spoil_a_step_are_named(poisoned: Plan, tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        train(poisoned, tmp_path)
    text = str(caught.value)
    assert f"at step {first_bad_step(poisoned)}: samples without finite embedding: sample " in text
    assert any(f"sample {i}" in text for i in BAD)
    assert "on_bad=skip" in text
    assert "\n" not in text


def test_steps_can_be_skipped_and_nothing_bad_stays(poisoned: Plan, tmp_path: Path) -> None:
    skipping = plan(on_bad="skip")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = train(skipping, tmp_path)
    told = [str(w.message) for w in said if "is skipped" in str(w.message)]
    assert {i for i in BAD for text in told if f"sample {i}" in text} == set(BAD)
    kept = read(tmp_path / "checkpoints" / "last.ckpt")
    assert kept["global_step"] == 12
    assert kept["anyview"]["skipped"] == len(told) >= 2  # each bad sample comes once an epoch
    assert all(t.isfinite().all() for t in kept["state_dict"].values() if t.is_floating_point())
    assert model.encoder.training is False


def test_a_skipped_step_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner, seen = Pretraining.training_step, {}

    def training_step(self, batch, batch_idx):
        before = {k: v.clone() for k, v in self.method.state_dict().items()}
        self.method.spoil = self.global_step == 5
        inner(self, batch, batch_idx)
        after = self.method.state_dict()
        seen[self.global_step - 1] = all(torch.equal(v, after[k]) for k, v in before.items())

    loss = SimCLR.loss
    monkeypatch.setattr(Pretraining, "training_step", training_step)
    monkeypatch.setattr(SimCLR, "loss", lambda self, z: loss(self, z) * (float("nan") if self.spoil else 1))
    monkeypatch.setattr(SimCLR, "spoil", False, raising=False)
    with pytest.warns(UserWarning, match="loss became nan at step 5, which is skipped"):
        train(plan(on_bad="skip"), tmp_path)
    assert [step for step, unchanged in seen.items() if unchanged] == [5]
    assert sorted(seen) == list(range(12))


def test_skipping_ends_when_every_step_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = SimCLR.loss
    made = plan(on_bad="skip")
    monkeypatch.setattr(module, "SKIPS", 5)
    monkeypatch.setattr(SimCLR, "loss", lambda self, z: loss(self, z) * float("nan"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(RunError, match="loss became nan at step 4"):
            train(made, tmp_path)


@pytest.mark.parametrize("on_bad", ["stop", "skip"])
def test_a_bad_weight_is_named_and_never_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_bad: str
) -> None:
    """It appears in a step after which a checkpoint is due: the one before it is kept."""
    made = plan(on_bad=on_bad)
    name, weight = next(iter(made.method.encoder.named_parameters()))

    def after_step(self) -> None:
        if self.progress * 12 > 6.5:
            weight.data.view(-1)[0] = float("nan")

    monkeypatch.setattr(SimCLR, "after_step", after_step)
    with pytest.raises(RunError, match=rf"weight encoder\.{name} is not finite after step 8.*step 6\."):
        train(made, tmp_path)
    assert read(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == 6


def test_a_sample_says_its_file() -> None:
    names = ["a.png", "b.png", "c.png"]
    source = StreamSource("image", {}, names, lambda item: torch.zeros(1), names.__getitem__)
    assert source.take(torch.tensor([2, 0])).where(0) == "sample 0 (c.png)"
    assert MemorySource("image", {}, torch.zeros(4, 1)).where(3) == "sample 3"
