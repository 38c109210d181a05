"""Two processes give the loss and the gradients of one, for every objective and method, plain and cached."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from processes import cases


@pytest.fixture(scope="module")
def computed(once) -> dict[int, dict]:
    """Every case in two processes that gather through gloo, and in one."""
    folder = once("processes", compute_all)
    of_rank = [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]
    return {2: of_rank[0][0], 1: of_rank[0][1] | of_rank[1][1]}


def compute_all(folder: Path) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    script = [sys.executable, str(Path(__file__).with_name("processes.py")), str(folder)]
    running = [subprocess.Popen([*script, str(rank), "2", str(port)]) for rank in (0, 1)]
    assert all(p.wait(200) == 0 for p in running)


@pytest.mark.parametrize("case", cases())
def test_two_processes_equal_one(computed: dict[int, dict], case: str) -> None:
    one, two = computed[1][case], computed[2][case]
    assert set(one) == set(two)
    assert any(value.abs().max() > 1e-6 for name, value in one.items() if name != "loss")
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-10, rtol=1e-7, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("case", [c for c in cases() if c.endswith("plain")])
def test_cached_equals_plain(computed: dict[int, dict], case: str) -> None:
    plain, cached = computed[1][case], computed[1][case.replace("plain", "cached")]
    assert set(plain) == set(cached)
    for name, value in plain.items():
        torch.testing.assert_close(
            cached[name], value, atol=1e-10, rtol=1e-6, msg=lambda m, n=name: f"{n}: {m}"
        )
