"""anyview's contestants: its whole training loop with a timer on every part, and the network alone."""

import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

import anyview.training.run as training_run
from anyview.data.loader import Loader
from anyview.training.callbacks import Checkpoints, Metrics
from anyview.training.memory import keep_freed_memory
from anyview.training.module import Pretraining
from anyview.training.optim import build_optimizer
from anyview.training.plan import Plan, make_plan
from anyview.training.precision import autocast
from anyview.training.profile import Clock
from anyview.training.progress import Progress
from anyview.training.schedule import Budget
from benchmarks.settings import BATCH, ENCODERS, OPTIONS, VIT

RARE = ("health", "checkpoint")  #: too rare for a short window: charged at the rate a long run pays
HEALTH_SHARE = 1 / 50  #: the loop waits 50 times as long as health took before it measures again


def plan_of(images: Path, precision: str, method: str = "simclr") -> Plan:
    """A method on the images, with its defaults but for what is compared. A row of figures is logged at every step,
    ten times as often as by default, so that a few steps hold their share of logging and more."""
    options = {
        **OPTIONS[method],
        **({"encoder.patch": VIT["patch"]} if ENCODERS[method].startswith("vit") else {}),
        "batch_size": BATCH[method],
        "precision": precision,
        "device": "cpu",
        "log_steps": 1,
        "epochs": 1,
    }
    return make_plan(method, images, encoder=ENCODERS[method], options=options)


def training(images: Path, steps: int, warmup: int, precision: str, method: str = "simclr") -> dict[str, Any]:
    """Runs ``train`` as ``anyview pretrain`` does and times ``steps`` steps after ``warmup``.

    Returns:
        ``seconds`` of the window (``cpu_seconds`` of all threads), ``parts`` of it by name, ``rare`` (seconds
        of one call at the end of the run), what a step is ``charged`` for these, and ``long_run``: seconds a
        step with that charge, as it is in a run of many minutes.
    """
    plan = plan_of(images, precision, method)
    plan.budget = lambda: Budget(warmup + steps, None)
    clock, marks = Clock(opaque=RARE), []
    _time_parts(clock, plan)
    after = Progress.on_train_batch_end  # the last callback of a step

    def mark(*args: Any, **kwargs: Any) -> None:
        clock.start("logging")
        after(*args, **kwargs)
        clock.stop("logging")
        marks.append((time.perf_counter(), time.process_time(), dict(clock.seconds)))

    Progress.on_train_batch_end = mark
    # what is made for the report when training has ended is no part of a step
    training_run.write_samples = training_run.write_embedding = lambda *_: None
    with tempfile.TemporaryDirectory() as folder:
        training_run.train(plan, Path(folder))

    (start, cpu, before), (end, cpu_end, last) = marks[warmup - 1], marks[warmup + steps - 1]
    parts = {part: last.get(part, 0.0) - before.get(part, 0.0) for part in clock.seconds}
    parts["other"] = end - start - sum(parts.values())
    usual = (end - start - sum(parts.get(part, 0.0) for part in RARE)) / steps
    health = HEALTH_SHARE if clock.calls["health"] else 0.0
    checkpoint = clock.last.get("checkpoint", 0.0) / (60 * plan.training.checkpoint_minutes)
    return {
        "precision": plan.training.precision,
        "batch": plan.batch_size,
        "steps": steps,
        "seconds": end - start,
        "cpu_seconds": cpu_end - cpu,
        "parts": parts,
        "rare": {part: clock.last.get(part, 0.0) for part in RARE},
        "charged": {"health": health * usual, "checkpoint": checkpoint * usual},
        "long_run": usual * (1 + health + checkpoint),
    }


def _time_parts(clock: Clock, plan: Plan) -> None:
    """Timers on the real objects: the loop under them is the one that users run."""
    method = plan.method
    clock.wrap(Loader, "__next__", "data")
    clock.wrap(type(method.views), "__call__", "views")
    clock.wrap(method, "loss", "loss")
    clock.wrap(Metrics, "on_train_batch_end", "logging")
    clock.wrap(Metrics, "_watch", "health")
    clock.wrap(Checkpoints, "save", "checkpoint")
    register_optimizer_step_pre_hook(lambda *_: clock.start("optimiser"))
    register_optimizer_step_post_hook(lambda *_: clock.stop("optimiser"))
    forward, backward = method.forward, Pretraining._backward

    def timed_forward(views: Any) -> dict[str, Tensor]:
        clock.start("forward")
        out = forward(views)
        clock.stop("forward")
        for z in out.values():
            if z.requires_grad:  # its gradient is where the loss's backward ends and the network's begins
                z.register_hook(border)
        return out

    def border(grad: Tensor) -> None:
        clock.stop("loss backward")
        clock.start("backward")

    def timed_backward(module: Pretraining, loss: Tensor) -> None:
        clock.start("loss backward")
        backward(module, loss)
        clock.stop("backward")

    method.forward = timed_forward
    Pretraining._backward = timed_backward


def network(images: Path, steps: int, warmup: int, precision: str) -> dict[str, Any]:
    """Forward, backward and optimiser of the same networks on one batch of two views: nothing can be
    quicker than this. The loss is a mean, the gradient of which is a constant."""
    keep_freed_memory()
    plan = plan_of(images, precision)
    method = plan.method.to(memory_format=torch.channels_last).train()
    optimizer = build_optimizer(method, plan.optimizer, BATCH["simclr"])
    x = torch.randn(2 * BATCH["simclr"], *plan.spec["shape"]).contiguous(memory_format=torch.channels_last)
    network = torch.nn.Sequential(method.encoder, method.projector)
    marks = []
    for _ in range(warmup + steps):
        with autocast(plan.training.precision, plan.device):
            z = network(x)
        z.float().mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        marks.append((time.perf_counter(), time.process_time()))
    (start, cpu), (end, cpu_end) = marks[warmup - 1], marks[-1]
    return {
        "precision": plan.training.precision,
        "batch": BATCH["simclr"],
        "steps": steps,
        "seconds": end - start,
        "cpu_seconds": cpu_end - cpu,
    }
