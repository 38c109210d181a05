"""Weights shared out among two processes: what is trained, saved and gone on with is what whole ones give."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from sharded import CASES

from anyview.encoders.registry import build
from anyview.training.checkpoint import read
from anyview.training.sharding import blocks


@pytest.fixture(scope="module")
def trained(once) -> Path:
    return once("sharded", train_all)


def train_all(folder: Path) -> None:
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = str(Path(__file__).with_name("sharded.py"))
    done = subprocess.run(
        [sys.executable, *launch, script, str(folder)], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "encoder" / "model.safetensors")


@pytest.mark.parametrize("case", CASES)
class TestSharedOut:
    def test_the_encoder_is_that_of_whole_weights(self, trained: Path, case: str) -> None:
        whole, shared = weights(trained / f"{case}, whole"), weights(trained / f"{case}, shared")
        assert whole.keys() == shared.keys()
        for name, value in whole.items():
            torch.testing.assert_close(
                shared[name], value, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
            )

    def test_its_checkpoint_is_one_of_whole_weights(self, trained: Path, case: str) -> None:
        whole, shared = (
            read(trained / f"{case}, {kind}/checkpoints/last.ckpt") for kind in ("whole", "shared")
        )
        assert whole["state_dict"].keys() == shared["state_dict"].keys()
        (a,), (b,) = whole["optimizer_states"], shared["optimizer_states"]
        assert [g["params"] for g in a["param_groups"]] == [g["params"] for g in b["param_groups"]]
        assert a["state"].keys() == b["state"].keys()
        for place, state in a["state"].items():
            for name, value in state.items():
                torch.testing.assert_close(b["state"][place][name], value, atol=1e-5, rtol=1e-3)

    def test_a_process_holds_little_more_than_half(self, trained: Path, case: str) -> None:
        shares = [torch.load(trained / f"{rank}.pt")["shares"] for rank in (0, 1)]
        held = [share[f"{case}, shared"] for share in shares]
        assert sum(held) < 1.3
        assert max(held) < 0.7
        assert [share[f"{case}, whole"] for share in shares] == [1.0, 1.0]


def test_what_is_whole_gets_the_mean_of_its_gradients(trained: Path) -> None:
    for rank in (0, 1):
        both, second, neither = torch.load(trained / f"{rank}.pt")["means"]
        torch.testing.assert_close(both, torch.full((2, 3), 1.5))
        torch.testing.assert_close(second, torch.full((2, 3), 0.5))
        assert neither is None


def test_processes_part_before_python_ends_and_no_thread_of_theirs_is_left(trained: Path) -> None:
    assert [(trained / f"left {rank}").read_text() for rank in (0, 1)] == ["False 0", "False 0"]


def test_a_run_that_is_gone_on_with_ends_where_it_would_have(trained: Path) -> None:
    name = next(iter(CASES))
    for key, value in weights(trained / f"{name}, shared").items():
        torch.testing.assert_close(weights(trained / "resumed")[key], value, atol=0, rtol=0)


@pytest.mark.parametrize("network", ["vit-nano", "resnet18"])
def test_blocks_are_the_outermost_of_their_kind(network: str) -> None:
    encoder = build(network, (3, 16, 16))
    found = list(blocks(encoder))
    held = sum(p.numel() for block in found for p in block.parameters())
    assert held > 0.8 * sum(p.numel() for p in encoder.parameters())
    inside = [m for block in found for m in block.modules() if m is not block]
    assert not any(block is m for block in found for m in inside)


def test_what_keeps_its_weights_in_one_piece_is_no_block() -> None:
    network = nn.ModuleDict(
        {"rnn": nn.ModuleList(nn.GRU(2, 2) for _ in range(3)), "one": nn.Sequential(nn.ReLU(), nn.ReLU())}
    )
    assert not list(blocks(network))
