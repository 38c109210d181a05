"""What happens around the steps: checkpoints, the table of figures, health, the end of the budget, signals."""

import csv
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from anyview.data.batch import Payload
from anyview.data.loader import Loader, batches
from anyview.data.source import Source
from anyview.encoders.base import Encoder
from anyview.errors import RunError
from anyview.files import beside, sync, write_atomic, write_json
from anyview.methods.base import Method
from anyview.training.checkpoint import LAST, keep
from anyview.training.finite import first_bad
from anyview.training.gather import gather
from anyview.training.health import COLUMNS, Health
from anyview.training.module import Pretraining
from anyview.training.signals import Signals
from anyview.training.step import seed_step

METRICS = (
    "step",
    "epoch",
    "seconds",
    "progress",
    "loss",
    "lr",
    "samples_per_s",
    "wait",
    "grad_norm",
    *COLUMNS,
)


class Checkpoints(pl.Callback):
    """``checkpoints/last.ckpt``, written under a temporary name and renamed; the one before it is kept."""

    def __init__(self, folder: Path, minutes: float, steps: int) -> None:
        self.folder, self.minutes, self.steps = folder, minutes, steps
        self._saved_at = time.monotonic()
        self._saved_step = -1

    def save(self, trainer: pl.Trainer) -> None:
        if trainer.global_step == self._saved_step:
            return
        module: Any = trainer.lightning_module
        bad = first_bad(module.method.named_parameters())
        if module.in_any_process(bad is not None):
            name = bad or "of another process"
            raise RunError(
                f"weight {name} is not finite after step {trainer.global_step:,}, so it is not saved"
            )
        temporary = beside(self.folder / LAST)
        try:
            trainer.save_checkpoint(temporary)
            if trainer.is_global_zero:
                table = self.folder.parent / "metrics.csv"
                if table.exists():
                    sync(table)  # its rows up to here are not made again
                keep(temporary, self.folder)
        finally:
            temporary.unlink(missing_ok=True)
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if self.steps:
            due = trainer.global_step % self.steps == 0
        else:
            due = time.monotonic() - self._saved_at > 60 * self.minutes
            if trainer.world_size > 1:
                due = trainer.strategy.broadcast(due)
        if due:
            self.save(trainer)


class Ending(pl.Callback):
    """Ends the run with its budget, or at a signal with everything saved."""

    def __init__(self, checkpoints: Checkpoints, metrics: "Metrics", signals: Signals) -> None:
        self.checkpoints, self.metrics, self.signals = checkpoints, metrics, signals

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        self.signals.listen()
        self.signals.stepping = True
        if module.budget.done(trainer.global_step):  # it died after its last step
            trainer.should_stop = True

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        asked = self.signals.asked is not None
        over = asked or self.metrics.stop or module.budget.done(trainer.global_step)
        if trainer.world_size > 1:
            over = trainer.strategy.reduce_boolean_decision(over, all=False)
        if over:
            trainer.should_stop = True

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:
        self.checkpoints.save(trainer)
        self.signals.stepping = False

    def on_exception(self, trainer: pl.Trainer, module: Any, exception: BaseException) -> None:
        self.signals.stepping = False


class Relabel(pl.Callback):
    """Calls ``before_epoch`` of methods that relabel the whole dataset, with a function that embeds it."""

    def __init__(self, source: Source, inputs: Callable[[Payload], Payload], steps_per_epoch: int) -> None:
        self.source, self.inputs, self.steps_per_epoch = source, inputs, steps_per_epoch

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        method = module.method
        if type(method).before_epoch is Method.before_epoch or trainer.global_step % self.steps_per_epoch:
            return
        seed_step(module.seed, trainer.global_step)
        method.progress = module._progress(trainer.global_step)

        def embed(network: Encoder | None = None) -> Tensor:
            with trainer.precision_plugin.forward_context():
                return self.embed(method, network or method.encoder, trainer.global_rank, trainer.world_size)

        method.before_epoch(embed)

    @torch.no_grad()
    def embed(self, method: Method, network: Encoder, rank: int = 0, processes: int = 1) -> Tensor:
        """``(samples, dim)`` float32 on the CPU, in order; modes and the statistics of batch norms stay as they were.

        Each process embeds its share and all get the whole, the same to the bit.
        """
        device = next(method.parameters()).device
        share = -(-len(self.source) // processes)
        # as many for each, the last one again: where weights are shared out, all compute together
        places = torch.arange(rank * share, (rank + 1) * share).clamp(max=len(self.source) - 1)
        part = self.source.take(places)
        out = torch.zeros(share, network.dim, device=device)
        was_training = method.training
        method.eval()
        network.to(device).eval()
        for batch in batches(part, 256):
            out[batch.index.to(device)] = network(self.inputs(batch.to(device).x)).float()
        method.train(was_training)
        return gather(out[None])[0, : len(self.source)].cpu()


class Metrics(pl.Callback):
    """``metrics.csv``: a row every few steps. After a resume, rows of steps that are made again are dropped."""

    def __init__(
        self, path: Path, loader: Loader, health: Health | None, stop_on_collapse: bool = False
    ) -> None:
        self.path, self.loader, self.health, self.stop_on_collapse = path, loader, health, stop_on_collapse
        self.row: dict[str, Any] = {}
        self.warning: str | None = None
        self.stop = False  #: whether the run shall end because it collapsed
        self._health_cost, self._health_at = 0.0, 0.0
        self._columns: list[str] = list(METRICS)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know of its health: how it began, and what has happened."""
        return self.health.state() if self.health is not None else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if self.health is not None:
            self.health.load_state(state_dict)

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        self._window = (module.budget.elapsed, trainer.global_step, self.loader.wait_seconds)
        if trainer.is_global_zero and self.path.exists():
            self._columns, rows = _rows_until(self.path, trainer.global_step)
            write_atomic(self.path, lambda p: _write_rows(p, self._columns, rows))
        if self.health is not None and trainer.global_step == 0:
            figures = self._watch(trainer, module)
            if trainer.is_global_zero:
                self._append({"step": 0, "epoch": 0.0, "seconds": 0.0, **figures})

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        if self.health is not None and module.grad_norm is not None:
            self.health.note_gradient(trainer.global_step - 1, module.grad_norm)
        if not module.row:
            return
        self._log(trainer, module)

    def _log(self, trainer: pl.Trainer, module: Pretraining) -> None:
        now, (then, step, waited) = module.budget.elapsed, self._window
        seconds, wait = now - then, self.loader.wait_seconds - waited
        row = {
            "step": trainer.global_step,
            "epoch": trainer.global_step / self.loader.steps_per_epoch,
            "seconds": round(module.budget.elapsed, 3),
            **module.row,
            "lr": module.row["lr"] * module.optimizers().param_groups[0]["peak"],  # type: ignore[union-attr]
            "samples_per_s": round((trainer.global_step - step) * module.batch_size / max(seconds, 1e-9), 1),
            "wait": round(wait / max(seconds, 1e-9), 4),
        }
        if self.health is not None:
            self.health.symptoms.losses.note(module.row["loss"])
        module.row = {}
        if self.health is not None and time.monotonic() - self._health_at > 50 * self._health_cost:
            row |= self._watch(trainer, module)
        self.row = {**self.row, **row}
        self._window = (module.budget.elapsed, trainer.global_step, self.loader.wait_seconds)
        if trainer.is_global_zero:
            self._append(row)
            if trainer.logger is not None:
                trainer.logger.log_metrics(row, trainer.global_step)

    def _watch(self, trainer: pl.Trainer, module: Pretraining) -> dict[str, float]:
        """Measures health, at most a fiftieth of the time; every process stays in step because all measure."""
        assert self.health is not None
        start = time.monotonic()
        with trainer.precision_plugin.forward_context():
            figures = self.health.measure(module.method)
        self._health_at = time.monotonic()
        self._health_cost = self._health_at - start
        self.row |= figures
        self.warning = self.health.judge(trainer.global_step, module.method.collapse_hint) or self.warning
        self.stop = self.stop_on_collapse and self.health.collapsed
        return figures

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:
        if self.health is not None:
            figures = self._watch(trainer, module)
            if trainer.is_global_zero:
                self._append(
                    {"step": trainer.global_step, "seconds": round(module.budget.elapsed, 3), **figures}
                )
                write_json(self.path.with_name("health.json"), self.health.record())

    def _append(self, row: dict[str, Any]) -> None:
        if not self.path.parent.is_dir():  # nor is it made again: the disk under it may be gone
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        new = [k for k in row if k not in self._columns]
        if new or not self.path.exists():
            rows = []
            if self.path.exists():
                with self.path.open(newline="") as f:
                    rows = list(csv.DictReader(f))
            self._columns += new
            write_atomic(self.path, lambda p: _write_rows(p, self._columns, [*rows, row]))
            return
        with self.path.open("a", newline="") as f:
            csv.DictWriter(f, self._columns, restval="").writerow(row)


def _rows_until(path: Path, step: int) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns, and the whole rows of steps up to ``step`` that are not made again: the last line may be torn, and
    what was measured before the first step or after the last has no loss."""
    whole = path.read_bytes().rpartition(b"\n")[0].decode(errors="replace")
    reader = csv.DictReader(whole.splitlines())
    found = [r for r in reader if None not in r.values() and r["step"].isdecimal()]
    rows = [r for r in found if int(r["step"]) < step or (int(r["step"]) == step > 0 and r["loss"])]
    return list(reader.fieldnames or METRICS), rows


def _write_rows(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as f:
        writer = csv.DictWriter(f, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
