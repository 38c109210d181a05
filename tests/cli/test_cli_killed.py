"""Whole runs in processes of their own: killed, interrupted, and on two processes at once.

All have one thread: their number decides the order of sums, so runs that must agree need the same.
"""

import csv
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits

from anyview.cli.main import main

#: 25 steps an epoch on the data below
OPTIONS = [
    "--epochs",
    "3",
    "--batch-size",
    "16",
    "--set",
    "checkpoint_steps=5",
    "--set",
    "health=false",
    "--set",
    "log_steps=2",
]
DEADLINE = 90.0  # seconds that any of these may take on a busy machine


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """400 of the digits: enough steps to be killed between, few enough that a report takes no time."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    digits = load_digits()
    np.savez(path, x=(digits.images[:400] * 15.9375).astype(np.uint8), y=digits.target[:400])
    return str(path)


def start(args: list[str], folder: Path) -> subprocess.Popen:
    # as jobs of a shell are not, but a terminal's are: SIGINT has its usual meaning
    return subprocess.Popen(
        [sys.executable, "-m", "anyview", *args],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_progress(process: subprocess.Popen, run: Path) -> None:
    """Until there is a checkpoint, and rows in the table beyond it."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        table = run / "metrics.csv"
        if (
            (run / "checkpoints" / "last.ckpt").exists()
            and table.exists()
            and len(table.read_text().splitlines()) > 4
        ):
            return
        if process.poll() is not None:
            break
        time.sleep(0.005)
    process.kill()
    pytest.fail(f"no progress in {run}: {process.communicate()}")


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as f:
        return list(csv.DictReader(f))


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, data: str) -> dict[str, tuple[Path, int, str, str]]:
    """Two runs side by side, one that gets SIGKILL and one that gets SIGINT, once both have saved something."""
    folder = tmp_path_factory.mktemp("ended")
    numbers = {"killed": signal.SIGKILL, "interrupted": signal.SIGINT}
    started = {name: start(["pretrain", "simclr", data, *OPTIONS, "--out", name], folder) for name in numbers}
    waiting = dict(started)
    while waiting:  # whichever is ready first
        for name in list(waiting):
            wait_for_progress(waiting[name], folder / name)
            waiting.pop(name).send_signal(numbers[name])
    found = {}
    for name, process in started.items():
        out, err = process.communicate(timeout=DEADLINE)
        found[name] = (folder / name, process.returncode, out, err)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, data: str) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    assert main(["pretrain", "simclr", data, *OPTIONS, "--out", str(run)]) == 0
    return run


def assert_same(run: Path, whole: Path) -> None:
    one, two = (load_file(r / "encoder" / "model.safetensors") for r in (run, whole))
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.equal(value, two[name]), name
    assert [row["step"] for row in rows(run)] == [row["step"] for row in rows(whole)]
    assert [row["loss"] for row in rows(run)] == [row["loss"] for row in rows(whole)]
    assert (run / "report.html").is_file()
    left = [p for p in run.rglob("*") if ".part" in p.name or p.name.endswith(".tmp")]
    assert left == []


def test_a_killed_run_resumes_to_the_same_weights(
    ended: dict, whole: Path, data: str, capsys: pytest.CaptureFixture
) -> None:
    run, code, _, _ = ended["killed"]
    assert code == -signal.SIGKILL
    assert not (run / "encoder").exists()
    assert main(["evaluate", str(run), data]) == 2  # and until then it is no encoder
    assert f"anyview resume {run}" in capsys.readouterr().err
    assert main(["resume", str(run)]) == 0
    assert_same(run, whole)


def test_an_interrupted_run_says_how_to_go_on_and_does(ended: dict, whole: Path) -> None:
    run, code, _, err = ended["interrupted"]
    assert code == 130
    assert len(err.splitlines()) == 1
    assert err.startswith("interrupted: saved at step ")
    assert f"anyview resume {run.name}" in err
    assert not (run / "encoder").exists()
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert f"step {saved:,}." in err
    assert main(["resume", str(run)]) == 0
    assert_same(run, whole)


def test_two_processes_make_one_run(data: str, tmp_path: Path) -> None:
    """In a folder that the first has to name for both."""
    options = [
        "--epochs",
        "1",
        "--batch-size",
        "32",
        "--devices",
        "2",
        "--device",
        "cpu",
        "--set",
        "health=false",
    ]
    process = start(["pretrain", "simclr", data, *options], tmp_path)
    try:
        out, err = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"two processes did not end: {process.communicate()}")
    assert process.returncode == 0, err
    assert out.count("verdict") == 1  # one of them speaks
    run = tmp_path / "runs" / "simclr-digits"
    losses = [float(row["loss"]) for row in rows(run)]
    assert losses
    assert all(math.isfinite(loss) for loss in losses)
    assert (run / "encoder" / "model.safetensors").is_file()
    assert (run / "report.html").is_file()
    assert {p.name for p in tmp_path.iterdir()} == {"runs"}
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {"simclr-digits"}
    assert not [p for p in tmp_path.rglob("*") if ".part" in p.name or p.name.endswith(".tmp")]
