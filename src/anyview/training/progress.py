"""One refreshed line on a terminal, a line a tenth of the run in a log file."""

import math
import time
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from anyview.training.callbacks import Metrics


def seconds_text(seconds: float) -> str:
    """``43 s``, ``12 min``, ``3.4 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def figures_text(row: Mapping[str, Any], unit: str, state: str = "✓") -> str:
    """``loss 2.81 · 9,100 images/s · waiting for data 1 % · rank 41 of 64 ✓``."""
    parts = []
    if "loss" in row:
        parts.append(f"loss {row['loss']:.3g}" if abs(row["loss"]) >= 100 else f"loss {row['loss']:.2f}")
    if row.get("samples_per_s"):
        parts.append(f"{row['samples_per_s']:,.0f} {unit}/s")
        parts.append(f"waiting for data {100 * row.get('wait', 0):.0f} %")
    if not math.isnan(row.get("rank", math.nan)):
        parts.append(f"rank {row['rank']:.0f} of {row['rank_of']:.0f} {state}")
    return " · ".join(parts)


class Progress(pl.Callback):
    """Shows loss, speed, waiting for data and health while training; says warnings once, above the line."""

    def __init__(self, console: Console, metrics: Metrics, unit: str) -> None:
        self.console, self.metrics, self.unit = console, metrics, unit
        self.live: Live | None = None
        self._tenth = 0
        self._shown = 0.0
        self._said: str | None = None

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        self._tenth = int(10 * module.budget.progress(trainer.global_step))
        if trainer.is_global_zero and self.console.is_terminal:
            self.live = Live(console=self.console, auto_refresh=False, transient=False)
            self.live.start()

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        if not trainer.is_global_zero:
            return
        if self.metrics.warning and self.metrics.warning != self._said:
            self._said = self.metrics.warning
            self.console.print(f"warning: {self._said}", style="yellow", highlight=False, markup=False)
        progress = module.budget.progress(trainer.global_step)
        if self.live is not None:
            if time.monotonic() - self._shown > 0.25:
                self._shown = time.monotonic()
                self.live.update(self._line(progress, module.budget.elapsed), refresh=True)
        elif int(10 * progress) > self._tenth:
            self._tenth = int(10 * progress)
            self.console.print(
                f"training  {10 * self._tenth:3d} % · {seconds_text(module.budget.elapsed)} · "
                + self._figures("ok"),
                highlight=False,
                soft_wrap=True,
            )

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:
        if self.live is not None:
            progress = module.budget.progress(trainer.global_step)
            self.live.update(self._line(progress, module.budget.elapsed), refresh=True)
        self._close()

    def on_exception(self, trainer: pl.Trainer, module: Any, exception: BaseException) -> None:
        self._close()

    def _figures(self, good: str) -> str:
        health = self.metrics.health
        return figures_text(self.metrics.row, self.unit, "COLLAPSED" if health and health.collapsed else good)

    def _close(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _line(self, progress: float, elapsed: float) -> Table:
        grid = Table.grid(padding=(0, 1))
        left = elapsed / progress - elapsed if 0.02 < progress < 1 else None
        clock = seconds_text(elapsed) + (f" ({seconds_text(left)} left)" if left is not None else "")
        grid.add_row(
            Text("training ", style="bold"),
            ProgressBar(total=1.0, completed=progress, width=16),
            Text(" · ".join(filter(None, [clock, self._figures("✓")]))),
        )
        return grid
