"""A long run: memory and time of a step stay where they were, and so does memory over many embeddings."""

import os
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from sklearn.datasets import load_digits

from anyview.training.model import Model
from anyview.training.plan import make_plan
from anyview.training.run import train

ROUND = 10_000  #: samples that are embedded at a time
BOUND = 0.02  #: growth that counts as flat


def resident() -> int:
    """Bytes of memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


class Record(pl.Callback):
    """Resident memory and the seconds of a step, as medians over each hundredth of ``minutes``."""

    def __init__(self, minutes: float) -> None:
        self.width = 60 * minutes / 100
        self.rows: list[tuple[int, float]] = []
        self._memory: list[int] = []
        self._steps: list[float] = []

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        self._begun = time.monotonic()

    def on_train_batch_start(self, *_: Any) -> None:
        self._at = time.process_time()

    def on_train_batch_end(self, *_: Any) -> None:
        self._steps.append(time.process_time() - self._at)
        self._memory.append(resident())
        if time.monotonic() - self._begun > (len(self.rows) + 1) * self.width:
            self.rows.append((int(statistics.median(self._memory)), statistics.median(self._steps)))
            self._memory, self._steps = [], []


def growth(values: list[float]) -> float:
    """Of the median of the last tenth over that of the second: the first is when caches fill."""
    tenth = max(len(values) // 10, 1)
    return statistics.median(values[-tenth:]) / statistics.median(values[tenth : 2 * tenth]) - 1


def embeddings(model: Model, samples: int) -> list[int]:
    """Resident memory after each round of embeddings of random images, until ``samples`` are made."""
    rng, found = np.random.default_rng(0), []
    for _ in range(max(samples // ROUND, 2)):
        vectors = model.embed(rng.integers(0, 256, (ROUND, 8, 8, 1), dtype=np.uint8))
        assert vectors.shape == (ROUND, model.dim)
        del vectors
        found.append(resident())
    return found


def run(minutes: float = 30.0, samples: int = 100_000) -> dict[str, Any]:
    """Figures of a run of MoCo v2 (a queue, a teacher, checkpoints, health) on digits, and of embeddings after it.

    Time is that of the processor, so that who else is on the machine does not count.
    """
    digits, record = load_digits(), Record(minutes)
    images = (digits.images[..., None] * 15.9375).astype(np.uint8)
    options = {"training.minutes": minutes, "training.checkpoint_minutes": minutes / 30, "batch_size": 64}
    with tempfile.TemporaryDirectory() as name:
        plan = make_plan("mocov2", images, options=options)
        model = train(plan, Path(name), beside=[record])
        steps = sum(1 for _ in (Path(name) / "metrics.csv").open()) - 1
    memory, seconds = zip(*record.rows)
    held = embeddings(model, samples)
    found = {
        "minutes": minutes,
        "rows": steps,
        "megabytes": round(memory[-1] / 1e6),
        "memory": round(growth(list(memory)), 4),
        "step": round(growth(list(seconds)), 4),
        "embeddings": len(held) * ROUND,
        "embedding_memory": round(held[-1] / held[1] - 1, 4),
        "processors": os.cpu_count(),
    }
    grown = {key: found[key] for key in ("memory", "step", "embedding_memory") if found[key] > BOUND}
    return found | {"grown": grown}
