"""How good is the encoder on its way? Judged at shares of the budget, while the clock stands still."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from anyview.files import read_json, write_json
from anyview.methods.base import Method
from anyview.training.module import Pretraining

SHARES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  #: of the budget; quality rises early


class Looks(pl.Callback):
    """Keeps ``quality.json``: a row ``{step, seconds, quality}`` when each share of the budget is used up.

    Args:
        path: of the file. After a resume, rows of steps that are made again are dropped.
        judge: method -> quality, None for unknown. It may change the mode of the method, no weights and no buffers.
        shares: of the budget, rising; the last one is the end.
    """

    def __init__(
        self, path: Path, judge: Callable[[Method], float | None], shares: Sequence[float] = SHARES
    ) -> None:
        self.path, self.judge, self.shares = path, judge, shares
        self.rows: list[dict[str, Any]] = []

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        self.rows = [row for row in read_json(self.path, []) if row["step"] <= trainer.global_step]
        self._due = self._after(module.budget.progress(trainer.global_step))

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        done = module.budget.progress(trainer.global_step)
        if self._due <= done < 1:
            self._look(trainer, module)
            self._due = self._after(done)

    def _after(self, done: float) -> float:
        return min((share for share in self.shares if share > done), default=1.0)

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:
        seen = self.rows[-1]["step"] if self.rows else -1
        if module.budget.done(trainer.global_step) and seen < trainer.global_step:
            self._look(trainer, module)

    def _look(self, trainer: pl.Trainer, module: Pretraining) -> None:
        start, mode = time.monotonic(), module.method.training
        row = {"step": trainer.global_step, "seconds": round(module.budget.elapsed, 3)}
        self.rows.append(row | {"quality": self.judge(module.method)})
        module.method.train(mode)
        write_json(self.path, self.rows)
        module.budget.pause(time.monotonic() - start)
