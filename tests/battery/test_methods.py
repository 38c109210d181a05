"""What every method must pass on every modality it claims."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jaxtyping
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from cells import NARROW, SAMPLES, build, cells, narrow, once, representatives, with_each_encoder

from anyview.methods.distillation.udi import UDI
from anyview.targets.centre import Centre
from anyview.targets.queue import Queue
from anyview.training.callbacks import Checkpoints
from anyview.training.module import Pretraining
from anyview.training.optim import build_optimizer
from anyview.training.options import OptimizerOptions
from anyview.training.plan import make_plan
from anyview.training.run import train
from anyview.training.step import as_terms, plain_step, seed_step

#: those whose loss, of a few samples whitened together, new views swing by more than 30 steps learn
STEADY = {"w-mse"}

every_cell = pytest.mark.parametrize(("system", "kind"), cells())
#: for what depends on the method and on the kind of data, each for itself
REPRESENTATIVES = representatives()
WITH_EACH_ENCODER = with_each_encoder()
#: methods on tables, whose steps are the quickest
representative = pytest.mark.parametrize(("system", "kind"), representatives("table"))
#: for the loop around them
in_the_loop = pytest.mark.parametrize(("system", "kind"), once())


@contextmanager
def types_unchecked(off: bool) -> Iterator[None]:
    """Leaves out the checks of shapes, which take as long as the networks here; a first step has made them."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", before or off)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


def loss_of(method, batch, seed: int = 1) -> torch.Tensor:
    seed_step(seed, 0)
    return torch.stack(list(as_terms(method.loss(**method(method.make_views(batch)))).values())).sum()


def steps(method, batch, n: int, lr: float = 3e-3, redraw: bool = True) -> list[float]:
    """Losses of ``n`` steps on one batch, with the views of every step drawn anew or always the same.

    Without the entropy of targets that a moving centre makes: it rises by nats while the centre settles, however
    near the student comes. What is left is its divergence from them.
    """
    optimizer = build_optimizer(method, OptimizerOptions(lr=lr), 256)
    targets: list[torch.Tensor] = []
    found: dict[str, torch.Tensor] = {}
    hooks = [method.register_forward_hook(lambda module, args, out: found.update(out))]
    for part in method.modules():
        if isinstance(part, Centre):
            hooks.append(part.register_forward_hook(lambda module, args, target: targets.append(target)))
    losses = []
    for step in range(n):
        seed_step(0, step if redraw else 0)
        method.progress = step / n
        with types_unchecked(step > 0):
            terms = plain_step(method, method.make_views(batch), lambda loss: loss.backward())
            optimizer.step()
            optimizer.zero_grad()
            method.after_step()
        settled = sum(entropy(target, found.get("valid")) for target in targets)
        losses.append(sum(terms.values()).item() - settled / (len(terms) if isinstance(method, UDI) else 1))
        targets.clear()
    for hook in hooks:
        hook.remove()
    return losses


def entropy(target: torch.Tensor, valid: torch.Tensor | None) -> float:
    """Of each sample's targets, in the mean; of those that are ``valid`` where the shapes say that these are meant."""
    each = -torch.special.xlogy(target, target).sum(-1)
    if valid is None or valid.shape != each.shape:
        return each.mean().item()
    return ((each * valid).sum(1) / valid.sum(1).clamp(min=1)).mean().item()


@every_cell
def test_loss_falls(system: str, kind: str) -> None:
    """On new views in every step where the cell is a representative, once with each encoder that a modality would
    choose, else with a narrow one; on the same views of fewer samples, which shows it in fewer steps, in all other
    cells."""
    redraw = (system, kind) in REPRESENTATIVES and system not in STEADY
    chosen = (system, kind) in WITH_EACH_ENCODER
    method, dataset = build(system, kind, encoder_options={} if chosen else NARROW)
    size, n, last = (16, 30, 5) if redraw else (8, 8, 2)
    losses = steps(method, dataset.train.fetch(torch.arange(size)), n, redraw=redraw)
    filled = sum(-(-m.size // size) for m in method.modules() if isinstance(m, Queue))
    losses = losses[filled:]  # what a queue holds before is not of this data
    assert sum(losses[-last:]) < sum(losses[:last])


@representative
def test_same_seed_same_weights(system: str, kind: str) -> None:
    first, dataset = build(system, kind)
    batch = dataset.train.fetch(torch.arange(8))
    losses = steps(first, batch, 3)
    with types_unchecked(True):
        second, _ = build(system, kind)
        assert steps(second, batch, 3) == losses
    for a, b in zip(first.state_dict().values(), second.state_dict().values()):
        assert torch.equal(a, b)


@representative
def test_another_seed_other_weights(system: str, kind: str) -> None:
    first, _ = build(system, kind)
    second, _ = build(system, kind, seed=1)
    pairs = zip(first.encoder.parameters(), second.encoder.parameters())
    assert any(not torch.equal(a, b) for a, b in pairs)


@representative
def test_labels_do_not_reach_the_loss(system: str, kind: str) -> None:
    method, dataset = build(system, kind)
    if method.uses_labels:
        pytest.skip("learns from labels")
    batch = dataset.train.fetch(torch.arange(8))
    assert batch.label is not None
    other = type(batch)(batch.x, batch.index, batch.label.flip(0) + 5, batch.meta)
    losses = []
    for b in (batch, other, batch.without_label()):
        seed_step(1, 0)
        terms = as_terms(method.loss(**method(method.views(b))))
        losses.append(sum(terms.values()).item())
    assert losses[0] == losses[1] == losses[2]


@in_the_loop
def test_the_loop_hides_labels_from_who_needs_none(
    system: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    options = {"epochs": 1, "batch_size": 8, "health": False} | narrow(system, kind)
    plan = make_plan(system, SAMPLES[kind](), options=options)
    inner = type(plan.method.views).__call__

    def spy(views, batch):
        seen.append(batch.label)
        return inner(views, batch)

    monkeypatch.setattr(type(plan.method.views), "__call__", spy)
    train(plan, tmp_path)
    assert seen
    assert all((label is None) != plan.method.uses_labels for label in seen)


@representative
def test_state_survives_a_round_trip(system: str, kind: str) -> None:
    first, dataset = build(system, kind)
    batch = dataset.train.fetch(torch.arange(8))
    steps(first, batch, 2)
    second, _ = build(system, kind, seed=9)
    second.load_state_dict(first.state_dict())
    second.progress = first.progress  # the loop sets it
    assert loss_of(first, batch).item() == loss_of(second, batch).item()


@every_cell
def test_bf16_is_finite_and_near(system: str, kind: str) -> None:
    """And all that trains, and nothing else, has a gradient."""
    method, dataset = build(system, kind)
    batch = dataset.train.fetch(torch.arange(8))
    seed_step(1, 0)
    views = method.make_views(batch)
    losses = []
    for enabled in (False, True):
        seed_step(2, 0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled), types_unchecked(enabled):
            losses.append(sum(as_terms(method.loss(**method(views))).values()))
    losses[1].backward()
    assert torch.isfinite(losses[1])
    assert abs(float(losses[1].detach() - losses[0].detach())) < 0.1 * abs(float(losses[0].detach())) + 0.05
    for name, p in method.named_parameters():
        assert (p.grad is not None) == p.requires_grad, name
        assert p.grad is None or torch.isfinite(p.grad).all(), name


@representative
def test_one_sample_can_be_embedded(system: str, kind: str) -> None:
    method, dataset = build(system, kind)
    method.eval()
    one = method.views(dataset.train.fetch(torch.tensor([3])))[0]
    alone = method.encoder(one.x)
    assert alone.shape == (1, method.encoder.dim)
    assert torch.isfinite(alone).all()


@in_the_loop
def test_killed_and_resumed_equals_uninterrupted(
    system: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"epochs": 2, "batch_size": 8, "checkpoint_steps": 2, "log_steps": 2} | narrow(system, kind)

    def plan():
        return make_plan(system, SAMPLES[kind](), options=options)

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    train(plan(), whole)
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the whole run has been checked

    step = Pretraining.training_step
    with monkeypatch.context() as m:

        def dies(self, batch, batch_idx):
            if self.global_step == 5:  # the last checkpoint is in the middle of an epoch
                raise MemoryError("killed")
            return step(self, batch, batch_idx)

        m.setattr(Pretraining, "training_step", dies)
        m.setattr(Checkpoints, "on_exception", lambda *a: None, raising=False)
        with pytest.raises(MemoryError):
            train(plan(), broken)
    assert not (broken / "encoder").exists()
    train(plan(), broken, resume=True)

    one, two = (torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (whole, broken))
    assert one["global_step"] == two["global_step"] == 6
    for name, value in one["state_dict"].items():
        assert torch.equal(value, two["state_dict"][name]), name
    for a, b in zip(
        one["optimizer_states"][0]["state"].values(), two["optimizer_states"][0]["state"].values()
    ):
        assert all(torch.equal(a[k], b[k]) for k in a)
    rows = [(run / "metrics.csv").read_text().splitlines() for run in (whole, broken)]
    column = rows[0][0].split(",").index("loss")
    assert [r.split(",")[column] for r in rows[0]] == [r.split(",")[column] for r in rows[1]]
