"""One process at a time in a run folder, and no lock outlives its holder."""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from anyview.errors import InputError
from anyview.training.lock import only_one

HOLD = """
import sys, time
from pathlib import Path
from anyview.training.lock import only_one
with only_one(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def holder(run: Path) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(run)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_refused_with_who_is_at_it_and_death_lets_go(tmp_path: Path) -> None:
    process = holder(tmp_path)
    try:
        with (
            pytest.raises(InputError, match=rf"in use by process {process.pid} on ") as caught,
            only_one(tmp_path),
        ):
            pass
        assert "\n" not in str(caught.value)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with only_one(tmp_path):  # the file of the dead one is still there, and says its number
        assert f"process {os.getpid()} on" in (tmp_path / ".lock").read_text()


def test_nor_does_a_thread_of_the_same_process_get_in(tmp_path: Path) -> None:
    with only_one(tmp_path):
        with pytest.raises(InputError, match="this very process"), only_one(tmp_path / "." / "x" / ".."):
            pass
        assert (tmp_path / ".lock").exists()
    with only_one(tmp_path):
        pass


def test_a_worker_that_outlives_its_parent_holds_nothing(tmp_path: Path) -> None:
    with only_one(tmp_path):
        worker = multiprocessing.get_context("fork").Process(target=signal.pause)
        worker.start()
    try:
        other = holder(tmp_path)  # gets in while the worker lives
        assert worker.is_alive()
        other.kill()
        other.wait()
    finally:
        worker.kill()
        worker.join()
