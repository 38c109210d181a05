"""The quick part of ``make faults``: a run killed in several places ends as one that was left alone.

In a process of its own, since one that has run other tests cannot be forked safely.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import json, torch
torch.set_num_threads(1)
from faults import kill
found = kill.run(60, least=2, methods=("mocov2",), phases=("step", "checkpoint"), fresh=False)
print(json.dumps(found))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks and /proc are Linux's")
def test_a_run_that_is_killed_loses_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["lost"] == {}
    assert found["kills"] >= 2
    assert found["phase"]["step"] == 1
