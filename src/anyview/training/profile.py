"""Where the time of a run went, in words that a person can act on."""

import functools
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from anyview.data.loader import Loader
from anyview.files import read_json, write_json
from anyview.methods.base import Method
from anyview.training.callbacks import Checkpoints, Metrics
from anyview.training.module import Pretraining

WARM = 2  #: steps before the clock starts: kernels are chosen and workers filled by then
FILE = "profile.json"

#: part -> what may make it smaller, and from which share of the time on that is worth saying
ADVICE = {
    "waiting for data": (0.1, "more workers (--set workers=4), or files of the size that is asked for"),
    "views": (0.3, "fewer or smaller views, or processes that share the work (--devices 2)"),
    "loss": (0.3, "a smaller batch (--batch-size), if the method compares samples"),
    "optimiser": (0.25, "a larger batch (--batch-size): it costs the same for every step"),
    "after the step": (0.25, "a larger batch (--batch-size): it costs the same for every step"),
    "labels of the epoch": (0.25, "fewer labellings, or a shorter k-means: the method's options say how"),
    "health": (0.1, "to leave it out (--set health=false)"),
    "checkpoints": (0.1, "to write them less often (--set checkpoint_minutes=10)"),
}


class Clock:
    """Seconds by part. A part inside another is taken off the outer one; ``opaque`` parts keep all of theirs.

    Args:
        settle: called before the time is read, to wait for what an accelerator was asked to do.

    Attributes:
        seconds: part -> seconds so far.
        calls: part -> how often it was entered.
        last: part -> seconds of its last call, inner parts included.
    """

    def __init__(self, opaque: tuple[str, ...] = (), settle: Callable[[], object] = lambda: None) -> None:
        self.opaque, self.settle = opaque, settle
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self.last: dict[str, float] = {}
        self._open: list[list[Any]] = []  # part, start, seconds of parts inside
        self._wrapped: list[tuple[Any, str]] = []

    def start(self, part: str) -> None:
        if not self._hidden():
            self.settle()
            self._open.append([part, time.perf_counter(), 0.0])

    def stop(self, part: str) -> None:
        """Ends ``part``; nothing when it is not the innermost (it began inside an opaque one)."""
        if not self._open or self._open[-1][0] != part:
            return
        self.settle()
        _, began, inside = self._open.pop()
        spent = time.perf_counter() - began
        self.seconds[part] += spent - inside
        self.calls[part] += 1
        self.last[part] = spent
        if self._open:
            self._open[-1][2] += spent

    def wrap(self, owner: Any, name: str, part: str) -> None:
        """Replaces ``owner.name`` by itself with a timer around it; ``owner`` is a class, object or module."""
        function: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._hidden():
                return function(*args, **kwargs)
            self.start(part)
            try:
                return function(*args, **kwargs)
            finally:
                self.stop(part)

        setattr(owner, name, timed)
        self._wrapped.append((owner, name))

    def unwrap(self) -> None:
        """Takes the timers off objects again."""
        for owner, name in self._wrapped:
            if name in vars(owner):
                delattr(owner, name)
        self._wrapped.clear()

    def _hidden(self) -> bool:
        return bool(self._open) and self._open[-1][0] in self.opaque


class Profile(pl.Callback):
    """Times the parts of every step but the first two, and writes them to ``profile.json``.

    What is computed does not change. On an accelerator every part waits for what it asked for, which costs some of
    the speed that is measured.
    """

    def __init__(
        self, path: Path, method: Method, loader: Loader, metrics: Metrics, checkpoints: Checkpoints
    ) -> None:
        self.path, self.loader = path, loader
        on_gpu = next((p.is_cuda for p in method.parameters()), False)
        self.clock = Clock(("health", "checkpoints"), torch.cuda.synchronize if on_gpu else lambda: None)
        self.steps, self.began, self.ended = 0, 0.0, 0.0
        self.parts: dict[str, float] = {}  # as they were when the last step ended
        self.waited = 0.0
        for owner, name, part in (
            (method, "make_views", "views"),
            (method, "forward", "forward"),
            (method, "loss", "loss"),
            (method, "after_step", "after the step"),
            (method, "before_epoch", "labels of the epoch"),
            (metrics, "_watch", "health"),
            (checkpoints, "save", "checkpoints"),
        ):
            self.clock.wrap(owner, name, part)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Pretraining)
        self.clock.wrap(pl_module, "_backward", "backward")
        optimizer = trainer.optimizers[0]
        optimizer.register_step_pre_hook(lambda *_: self.clock.start("optimiser"))
        optimizer.register_step_post_hook(lambda *_: self.clock.stop("optimiser"))

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        self.steps += 1
        self.clock.settle()
        self.ended = time.perf_counter()
        if self.steps <= WARM:
            self.clock.seconds.clear()
            self.began, self.waited = self.ended, self.loader.wait_seconds
        self.parts = {"waiting for data": self.loader.wait_seconds - self.waited, **self.clock.seconds}

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.clock.unwrap()
        if trainer.is_global_zero and self.steps > WARM:
            write_json(self.path, self.found())

    def found(self) -> dict[str, Any]:
        """Seconds of every part, which add up to ``seconds``, over ``steps``."""
        whole = self.ended - self.began
        parts = self.parts | {"everything else": max(0.0, whole - sum(self.parts.values()))}
        steps = self.steps - WARM
        ordered = dict(sorted(parts.items(), key=lambda part: -part[1]))
        return {
            "steps": steps,
            "seconds": whole,
            "samples_per_s": steps * self.loader.batch_size / whole,
            "parts": ordered,
        }


def read_profile(run: Path) -> dict[str, Any] | None:
    """What a run kept of where its time went; None where it was not asked for."""
    return read_json(run / FILE)


def in_words(found: dict[str, Any]) -> str:
    """``a step takes 0.43 s: backward 41 % · forward 30 % · ...``, and what helps with the largest one."""
    shares = {part: seconds / found["seconds"] for part, seconds in found["parts"].items()}
    shown = [f"{part} {100 * share:.0f} %" for part, share in shares.items() if share >= 0.005]
    text = f"a step takes {found['seconds'] / found['steps']:.3g} s: " + " · ".join(shown)
    for part, share in shares.items():
        least, advice = ADVICE.get(part, (2.0, ""))
        if share >= least:
            return f"{text} · {part} takes {100 * share:.0f} %; what helps is {advice}"
    return text
