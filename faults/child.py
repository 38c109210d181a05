"""A whole run in a forked child that says where it is, so that it can be killed there.

Starting anyview costs seconds; a fork of a process that has imported it and done nothing else costs none. It is sound
as long as that process has one thread (beside that of pyarrow's allocator, which handles forks), which ``start``
asserts; that a forked run equals one of a fresh process is checked each time (``faults.kill.check_fork``).
"""

import functools
import mmap
import os
import sys
import time
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import anyview.api
import anyview.cli.evaluate
import anyview.cli.pretrain
import anyview.cli.resume
from anyview.cli.main import main
from anyview.training import run as run_module
from anyview.training.callbacks import Checkpoints
from anyview.training.module import Pretraining

PHASES = ("begin", "step", "checkpoint", "embedding", "encoder", "report", "evaluation")


def threads() -> set[str]:
    """Names of the threads of this process but the one that asks."""
    folder = Path("/proc/self/task")
    return {(t / "comm").read_text().strip() for t in folder.iterdir() if t.name != str(os.getpid())}


class Child:
    """A forked process, its phase, and how often it has entered each."""

    def __init__(self) -> None:
        self._board = mmap.mmap(-1, 4 * (1 + len(PHASES)))
        self._words = memoryview(self._board).cast("I")
        self.pid, self.code = 0, None  # type: int, int | None

    def entered(self, phase: str) -> int:
        return self._words[1 + PHASES.index(phase)]

    def start(self, work: Callable[[], int], log: Path) -> None:
        assert threads() <= {"jemalloc_bg_thd"}, f"{threads()} cannot be forked safely; set OMP_NUM_THREADS=1"
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid:
            return
        code = 70
        try:
            handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            self._watch()
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def ended(self) -> bool:
        """Whether it is over; its exit code is then in ``code``, negative for a signal."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def wait(self, seconds: float = 240.0) -> int:
        end = time.monotonic() + seconds
        while not self.ended():
            if time.monotonic() > end:
                self.send(9)
                raise TimeoutError("a run did not end")
            time.sleep(0.002)
        assert self.code is not None
        return self.code

    def send(self, number: int) -> int:
        """A signal to it and waits for its end."""
        if not self.ended():
            os.kill(self.pid, number)
        return self.wait()

    def _watch(self) -> None:
        for owner, name, phase in (
            (Pretraining, "training_step", "step"),
            (Checkpoints, "save", "checkpoint"),
            (run_module, "write_embedding", "embedding"),
            (run_module.Model, "save", "encoder"),
            (anyview.cli.pretrain, "write_report", "report"),
            (anyview.cli.evaluate, "run", "evaluation"),
        ):
            setattr(owner, name, self._marked(getattr(owner, name), phase))

    def _marked(self, inner: Callable[..., Any], phase: str) -> Callable[..., Any]:
        @functools.wraps(inner)
        def marked(*args: Any, **kwargs: Any) -> Any:
            place = PHASES.index(phase)
            before, self._words[0] = self._words[0], place
            self._words[1 + place] += 1
            try:
                return inner(*args, **kwargs)
            finally:
                self._words[0] = before

        return marked


def sitting(method: str, data: str, run: Path, options: list[str]) -> int:
    """What a person does after a crash, until there is a judged encoder: pretrain or resume, then evaluate."""
    _note_random_state(run.with_suffix(".random"))
    if (run / "config.yaml").exists():
        code = main(["resume", str(run)])
    else:
        code = main(["pretrain", method, data, *options, "--out", str(run)])
    return code or main(["evaluate", str(run), data, "--protocol", "knn"])


def _note_random_state(path: Path) -> None:
    """Enters after each step: its number, which samples it took, and the state of the generator."""
    inner = Pretraining.training_step

    @functools.wraps(inner)
    def training_step(self: Pretraining, batch: Any, batch_idx: int) -> None:
        step = self.global_step
        inner(self, batch, batch_idx)
        marks = [zlib.crc32(t.numpy().tobytes()) for t in (batch.index, torch.get_rng_state())]
        with path.open("a") as file:
            file.write(f"{step} {marks[0]} {marks[1]}\n")

    Pretraining.training_step = training_step  # type: ignore[method-assign]
