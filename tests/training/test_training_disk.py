"""A disk that takes no more: the last good checkpoint stays, and the run says what it needs.

``make faults`` does the same on a real file system of its own. Here the system limits the size of files, which is
an error of the same kind at the same places and needs no rights.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from anyview.errors import RunError
from anyview.training import run as run_module
from anyview.training.checkpoint import read
from anyview.training.module import Pretraining
from anyview.training.plan import Plan, make_plan
from anyview.training.run import train

PIXELS = torch.randint(0, 256, (24, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


def plan() -> Plan:
    """3 steps an epoch, 6 in all."""
    quick = {"batch_size": 8, "log_steps": 1, "health": False, "checkpoint_steps": 2, "epochs": 2}
    return make_plan("simclr", PIXELS, options=quick)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = Pretraining.training_step

    def training_step(self, batch, batch_idx):
        if self.global_step == 3:
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        return inner(self, batch, batch_idx)

    with monkeypatch.context() as m, files_of_at_most(resource.RLIM_INFINITY):
        m.setattr(Pretraining, "training_step", training_step)
        with pytest.raises(RunError) as caught:
            train(plan(), tmp_path)
    text = str(caught.value)
    assert "could not be written (File too large)" in text
    assert "MB are free and a checkpoint takes" in text
    assert "last good checkpoint: step 2." in text
    assert f"anyview resume {tmp_path}" in text
    assert "\n" not in text
    assert read(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == 2
    assert not list(tmp_path.rglob("*.part"))  # half of one would fill the disk for good
    train(plan(), tmp_path, resume=True)
    assert read(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == 6


def test_so_does_an_embedding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = run_module.write_embedding

    def write_embedding(*args):
        with files_of_at_most(512):
            inner(*args)

    with monkeypatch.context() as m:
        m.setattr(run_module, "write_embedding", write_embedding)
        with pytest.raises(RunError, match=r"embedding\.npz could not be written .*step 6.*anyview resume"):
            train(plan(), tmp_path)
    assert not (tmp_path / "encoder").exists()
    assert not list(tmp_path.rglob("*.part"))
    train(plan(), tmp_path, resume=True)
    assert (tmp_path / "embedding.npz").exists()
