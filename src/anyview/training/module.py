"""The one Lightning module, around any method."""

import math
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from anyview.data.batch import Batch, Payload
from anyview.encoders.base import own
from anyview.errors import RunError
from anyview.methods.base import Method
from anyview.training.finite import cause
from anyview.training.gather import pool, world_size
from anyview.training.optim import build_optimizer, lr_factor
from anyview.training.options import OptimizerOptions
from anyview.training.schedule import Budget
from anyview.training.sharding import Sharded, average, gradient_norm, shard
from anyview.training.step import cached_step, plain_step, seed_step

SKIPS = 50  #: so many bad steps one after the other are no accident


class Pretraining(pl.LightningModule):
    """Runs a method: seeds the step, makes views, compares, steps, and calls the method's hooks.

    Everything random in a step follows from its number, and everything else is state of the method or the
    optimiser. So a checkpoint of those two and the number of the step is an exact one.
    """

    def __init__(
        self,
        method: Method,
        optimizer: OptimizerOptions,
        budget: Budget,
        *,
        batch_size: int,
        seed: int,
        cache_chunk: int = 0,
        log_steps: int = 10,
        skip_bad: bool = False,
        inputs: Callable[[Payload], Payload],
        where: Callable[[int], str],
    ) -> None:
        """
        Args:
            skip_bad: leave a step without effect whose loss or gradient is not finite, rather than end the run.
            inputs: samples as the encoder takes them whole, and
            where: how a person finds one again: both only to say what went bad.
        """
        super().__init__()
        self.automatic_optimization = False
        self.method = method
        self.options = optimizer
        self.budget = budget
        self.batch_size = batch_size
        self.seed = seed
        self.cache_chunk = cache_chunk
        self.log_steps = log_steps
        self.skip_bad, self.inputs, self.where = skip_bad, inputs, where
        self.skipped, self._in_a_row = 0, 0
        self.grad_norm: float | None = (
            None  # of the last step, before it is clipped; None where it was skipped
        )
        self.row: dict[str, float] = {}  # figures of the last logged step, read by the callbacks

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return build_optimizer(self.method, self.options, self.batch_size)

    @property
    def sharded(self) -> bool:
        """Whether processes share weights out among them."""
        return isinstance(self.trainer.strategy, Sharded)

    def configure_model(self) -> None:
        if self.sharded:
            assert self.device_mesh is not None  # which the strategy has set
            shard(self.method, self.device_mesh["data_parallel"])

    def on_train_start(self) -> None:
        self.budget.start()

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        step = self.global_step
        optimizer: Any = self.optimizers()
        progress = self._progress(step)
        self.method.progress = progress
        factor = lr_factor(self.method.lr_progress, self.options.warmup)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor

        before = [b.clone() for b in self.method.buffers()] if self.skip_bad else []
        seed_step(self.seed, step, self.global_rank)
        with torch.autocast(batch.index.device.type, enabled=False):
            views = self.method.make_views(batch)
        if self.cache_chunk:
            strategy: Any = self.trainer.strategy  # one that is alone has nothing to hold back
            terms = cached_step(
                self.method,
                views,
                self._backward,
                self.cache_chunk,
                strategy.block_backward_sync if world_size() > 1 else nullcontext,
            )
        else:
            terms = plain_step(self.method, views, self._backward)

        logged = (step + 1) % self.log_steps == 0 or step == 0
        loss = torch.stack(list(terms.values())).sum()
        if self.sharded:
            average(self.method)
        moved = [p for p in self.method.parameters() if p.grad is not None]
        norm = gradient_norm([p.grad for p in moved if p.grad is not None])
        loss_value, norm_value = torch.stack([loss, norm]).tolist()
        self.grad_norm = None
        if self.in_any_process(not (math.isfinite(loss_value) and math.isfinite(norm_value))):
            self._bad_step(step, batch, terms, loss_value, norm_value)
            for buffer, value in zip(self.method.buffers(), before):
                buffer.copy_(value)
            optimizer.zero_grad(set_to_none=True)
            optimizer.step()  # without gradients nothing moves, but the step counts
            return
        self._in_a_row, self.grad_norm = 0, norm_value
        if self.options.clip:
            scale = (self.options.clip / (norm + 1e-6)).clamp(max=1.0)
            torch._foreach_mul_([own(p.grad) for p in moved if p.grad is not None], scale)
        if logged:
            self.row = self._row(progress, factor, loss_value, norm_value, terms)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        pool(self.method)
        self.method.after_step()

    def _backward(self, loss: Tensor) -> None:
        """Gradients have the precision their forward had; autocast here would lower it again."""
        with torch.autocast(loss.device.type, enabled=False):
            self.manual_backward(loss)

    def _progress(self, step: int) -> float:
        progress = self.budget.progress(step)
        if self.budget.minutes is not None and world_size() > 1:
            progress = self.trainer.strategy.broadcast(progress)  # clocks differ, rates must not
        return progress

    def _row(
        self, progress: float, factor: float, loss: float, norm: float, terms: dict[str, Tensor]
    ) -> dict[str, float]:
        row = {"progress": progress, "loss": loss, "lr": factor, "grad_norm": norm}
        if self.skipped:
            row["skipped"] = self.skipped
        if len(terms) > 1:
            row |= {f"loss_{name}": float(value) for name, value in terms.items()}
        return row

    def in_any_process(self, bad: bool) -> bool:
        """What one process has found, all do: their weights must stay the same."""
        return self.trainer.strategy.reduce_boolean_decision(bad, all=False) if world_size() > 1 else bad

    def _bad_step(self, step: int, batch: Batch, terms: dict[str, Tensor], loss: float, norm: float) -> None:
        """Says what went bad. Returns only when the step is to be skipped and the next one has a chance."""
        what, value = ("gradient", norm) if math.isfinite(loss) else ("loss", loss)
        because, good = "", True
        if not self.sharded:  # weights that are shared out cannot be asked by one process
            because, good = cause(self.method, batch, terms, self.inputs, self.where)
        self._in_a_row += 1
        if self.skip_bad and good and self._in_a_row < SKIPS:
            self.skipped += 1
            warnings.warn(
                f"{what} became {value} at step {step:,}, which is skipped{f': {because}' if because else ''}",
                stacklevel=2,
            )
            return
        text = self._not_finite(step, value, what)
        if because and good:
            text = (
                f"{what} became {value} at step {step:,}: {because}. Mend or remove them, or leave such steps out "
                "with --set on_bad=skip"
            )
        elif because:
            text = text.replace(" (", f": {because} (", 1)
        raise RunError(text)

    def _not_finite(self, step: int, value: float, what: str = "loss") -> str:
        worst, name = 0.0, "none"
        for n, p in self.method.named_parameters():
            if p.grad is not None:
                size = float(own(p.grad).norm())
                size = math.inf if math.isnan(size) else size
                if size > worst:
                    worst, name = size, n.rpartition(".")[0] or n
        return (
            f"{what} became {value} at step {step:,} (gradient norm {worst:.0e} in {name}). Usual cause: a learning "
            f"rate too high for batch {self.batch_size}; try --set optimizer.lr=... ten times lower, then resume"
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["anyview"] = {"elapsed": self.budget.elapsed, "method": type(self.method).__name__}
        checkpoint["anyview"]["skipped"] = self.skipped

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.budget.elapsed_before = checkpoint["anyview"]["elapsed"]
        self.skipped = checkpoint["anyview"].get("skipped", 0)
