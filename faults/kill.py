"""SIGKILL at random moments of whole runs, each resumed to its end and compared with one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from faults.child import Child, sitting
from faults.state import differences, torn

#: a plain one, a queue with an EMA teacher, and labels made anew each epoch
METHODS = ("simclr", "mocov2", "deepcluster-v2")
#: phases in which a sitting of one run is killed, in this order; what comes late is never before what comes early
CHAIN = ("begin", "step", "checkpoint", "step", "checkpoint", "step", "checkpoint", "embedding", "encoder", "report",
         "evaluation", "evaluation")  # fmt: skip
OPTIONS = ["--epochs", "4", "--batch-size", "16", "--encoder", "convnet-s", "--set", "checkpoint_steps=4",
           "--set", "log_steps=2"]  # fmt: skip


def digits(folder: Path, samples: int = 128) -> str:
    """8 steps an epoch; 160 of them keep the two splits that evaluation cuts usable."""
    path, found = folder / "digits.npz", load_digits()
    np.savez(path, x=(found.images[:samples] * 15.9375).astype(np.uint8), y=found.target[:samples])
    return str(path)


def undisturbed(method: str, data: str, run: Path) -> float:
    """A run that is left alone; how many seconds it took."""
    start = time.monotonic()
    child = Child()
    child.start(partial(sitting, method, data, run, OPTIONS), run.with_suffix(".log"))
    if child.wait() != 0:
        raise RuntimeError(run.with_suffix(".log").read_text())
    return time.monotonic() - start


def check_fork(method: str, data: str, whole: Path, folder: Path) -> None:
    """A run of a fresh process is that of a forked one, to the bit."""
    code = "import sys; from pathlib import Path; from faults.child import sitting; from faults.kill import OPTIONS; "
    code += f"sys.exit(sitting('{method}', sys.argv[1], Path(sys.argv[2]), OPTIONS))"
    run = folder / "fresh"
    subprocess.run([sys.executable, "-c", code, data, str(run)], check=True, capture_output=True)
    if lost := differences(run, whole):
        raise RuntimeError(f"a forked run is not that of a fresh process: {lost}")


def killed(method: str, data: str, run: Path, phase: str, draw: random.Random, spread: float) -> bool:
    """One sitting, killed at a random moment in ``phase``; False when it ended before that."""
    child = Child()
    child.start(partial(sitting, method, data, run, OPTIONS), run.with_suffix(".log"))
    times = draw.randint(1, 8) if phase == "step" else draw.randint(1, 2) if phase == "checkpoint" else 1
    while not child.ended() and phase != "begin" and child.entered(phase) < times:
        time.sleep(0.0002)
    wait = {"begin": 0.6, "step": 0.03, "checkpoint": 0.02, "evaluation": 0.5, "encoder": 0.01}.get(
        phase, 0.1
    )
    time.sleep(draw.random() * wait * spread)
    return child.send(signal.SIGKILL) == -signal.SIGKILL


def chain(
    method: str, data: str, run: Path, phases: tuple[str, ...], seed: int, spread: float
) -> Counter[str]:
    """A run that is killed once in each of the phases, then left to end. Where it was killed, and how often."""
    draw, count = random.Random(seed), Counter[str]()
    for phase in phases:
        if killed(method, data, run, phase, draw, spread):
            count[phase] += 1
        if bad := torn(run):
            raise RuntimeError(f"torn after a kill in {phase}: {bad}")
    undisturbed(method, data, run)
    return count


def run(
    seconds: float,
    least: int = 50,
    seed: int = 0,
    methods: tuple[str, ...] = METHODS,
    phases: tuple[str, ...] = CHAIN,
    fresh: bool = True,
) -> dict:
    """At least so many kills, over as many runs as that takes.

    Args:
        fresh: check first that a forked run is that of a fresh process.

    Returns:
        ``kills`` survived, by ``phase``, and what was ``lost``: name -> bytes.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    count, lost, runs = Counter[str](), {}, 0
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = digits(folder)
        whole = {m: folder / f"whole-{m}" for m in methods}
        took = {m: undisturbed(m, data, whole[m]) for m in methods}
        if fresh:
            check_fork(methods[0], data, whole[methods[0]], folder)
        while sum(count.values()) < least and time.monotonic() < end:
            method = methods[runs % len(methods)]
            killed_run = folder / f"killed-{runs}"
            count += chain(method, data, killed_run, phases, seed + runs, max(1.0, took[method] / 6))
            lost |= {f"{method}: {k}": v for k, v in differences(killed_run, whole[method]).items()}
            runs += 1
    return {"kills": sum(count.values()), "phase": dict(count), "runs": runs, "lost": lost}
