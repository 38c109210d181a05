"""Where the time of a run went: the parts add up, nothing that is computed changes, and the advice is of use."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from anyview.cli.main import main
from anyview.training.plan import make_plan
from anyview.training.profile import WARM, Clock, in_words, read_profile
from anyview.training.run import train

PIXELS = torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def trained(folder: Path, method: str, **options):
    folder.mkdir()
    plan = make_plan(method, PIXELS, options={"epochs": 4, "batch_size": 16, **options})
    return plan, train(plan, folder)


@pytest.mark.parametrize(
    ("method", "options", "parts"),
    [
        ("simclr", {}, {"views", "forward", "loss", "backward", "optimiser", "after the step"}),
        ("byol", {"cache_chunk": 8}, {"views", "forward", "loss", "backward", "optimiser", "after the step"}),
        ("deepcluster-v2", {"clusters": 4}, {"labels of the epoch"}),
    ],
)
def test_parts_add_up_to_the_whole(tmp_path, method, options, parts):
    trained(tmp_path / "run", method, profile=True, checkpoint_steps=3, **options)
    found = read_profile(tmp_path / "run")
    assert parts | {"waiting for data", "checkpoints", "everything else"} <= set(found["parts"])
    assert found["steps"] == 16 - WARM
    assert sum(found["parts"].values()) == pytest.approx(found["seconds"], rel=1e-6)
    assert all(seconds >= 0 for seconds in found["parts"].values())
    assert found["parts"]["everything else"] < 0.5 * found["seconds"]
    assert found["samples_per_s"] == pytest.approx(found["steps"] * 16 / found["seconds"])


def test_nothing_that_is_computed_changes(tmp_path):
    plan, timed = trained(tmp_path / "timed", "byol", profile=True)
    _, plain = trained(tmp_path / "plain", "byol")
    assert not (tmp_path / "plain" / "profile.json").exists()
    for mine, theirs in zip(timed.encoder.parameters(), plain.encoder.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert not {"forward", "loss", "make_views", "after_step", "before_epoch"} & set(vars(plan.method))


def test_a_part_that_is_slow_is_seen(tmp_path):
    plan = make_plan("simclr", PIXELS, options={"epochs": 2, "batch_size": 16, "profile": True})
    views = plan.method.views

    class Slow(type(views)):
        def __call__(self, batch):
            time.sleep(0.05)
            return super().__call__(batch)

    views.__class__ = Slow
    train(plan, tmp_path)
    found = read_profile(tmp_path)
    assert 0.05 * found["steps"] <= found["parts"]["views"] <= found["seconds"]


def test_the_line_names_the_largest_part_that_one_can_mend():
    found = {"steps": 10, "seconds": 2.0, "samples_per_s": 1.0}
    network = {"backward": 1.2, "forward": 0.7, "views": 0.1}
    assert (
        in_words(found | {"parts": network}) == "a step takes 0.2 s: backward 60 % · forward 35 % · views 5 %"
    )
    waiting = {"waiting for data": 1.0, "backward": 0.9, "health": 0.1}
    said = in_words(found | {"parts": waiting})
    assert "waiting for data takes 50 %; what helps is more workers (--set workers=4)" in said
    assert "health takes" not in said


def test_a_part_inside_another_is_counted_once():
    clock = Clock(("closed",))

    class Owner:
        def outer(self):
            time.sleep(0.02)
            self.inner()

        def inner(self):
            time.sleep(0.03)

        def closed(self):
            self.inner()

    owner = Owner()
    for name in ("outer", "inner", "closed"):
        clock.wrap(owner, name, name)
    owner.outer()
    assert 0.02 <= clock.seconds["outer"] < 0.03 <= clock.seconds["inner"]
    assert clock.last["outer"] >= 0.05
    before = clock.seconds["inner"]
    owner.closed()
    assert clock.seconds["inner"] == before
    assert clock.seconds["closed"] >= 0.03
    clock.unwrap()
    assert not vars(owner)


def test_the_command_says_it(tmp_path, capsys):
    np.save(tmp_path / "x.npy", PIXELS.numpy())
    args = ["pretrain", "simclr", f"{tmp_path}/x.npy", "--epochs", "4", "--batch-size", "16"]
    assert main([*args, "--profile", "--out", f"{tmp_path}/run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("profile")]
    assert "a step takes" in line
    assert "backward" in line
    assert main([*args, "--out", f"{tmp_path}/plain"]) == 0
    assert "profile" not in capsys.readouterr().out
