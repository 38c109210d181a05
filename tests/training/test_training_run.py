"""A run: what it writes, how it goes on after a fault, and how it ends."""

import csv
import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from anyview.cli.main import main
from anyview.errors import InputError, Interrupted, RunError
from anyview.methods.contrastive.simclr import SimCLR
from anyview.training.checkpoint import last_checkpoint
from anyview.training.folder import new_run_folder, read_config
from anyview.training.health import Health
from anyview.training.module import Pretraining
from anyview.training.plan import Plan, make_plan
from anyview.training.run import train

PIXELS = torch.randint(0, 256, (48, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
QUICK = {"batch_size": 8, "log_steps": 2, "health": False}  # 6 steps an epoch


def plan(method: str = "simclr", **options: object) -> Plan:
    return make_plan(method, PIXELS, options={**QUICK, "epochs": 2, **options})


def steps_of(run: Path) -> list[int]:
    with (run / "metrics.csv").open(newline="") as f:
        return [int(row["step"]) for row in csv.DictReader(f)]


def dies_at(monkeypatch: pytest.MonkeyPatch, step: int, error: BaseException) -> None:
    inner = Pretraining.training_step

    def training_step(self, batch, batch_idx):
        if self.global_step == step:
            raise error
        return inner(self, batch, batch_idx)

    monkeypatch.setattr(Pretraining, "training_step", training_step)


def parts(folder: Path) -> list[str]:
    return [
        str(p) for p in folder.rglob("*") if p.is_file() and ("part" in p.name or p.name.endswith(".tmp"))
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole")
    train(plan(checkpoint_steps=4), run)
    return run


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that died at step 11 of 12, with checkpoints of steps 8 and 4, as ``kill -9`` would leave it."""
    run = tmp_path / "broken"
    run.mkdir()
    with monkeypatch.context() as m:
        dies_at(m, 11, MemoryError("killed"))
        with pytest.raises(MemoryError):
            train(plan(checkpoint_steps=4), run)
    return run


def same_weights(a: Path, b: Path) -> bool:
    one, two = (torch.load(r / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for r in (a, b))
    return all(torch.equal(value, two[name]) for name, value in one.items())


def test_a_run_folder_has_all_it_promises(whole: Path) -> None:
    names = {str(p.relative_to(whole)) for p in whole.rglob("*") if p.is_file()}
    assert {
        "config.yaml",
        "data.json",
        "metrics.csv",
        "samples.npz",
        "embedding.npz",
        "encoder/config.json",
        "encoder/model.safetensors",
        "checkpoints/last.ckpt",
    } <= names
    assert parts(whole) == []
    assert json.loads((whole / "data.json").read_text())["spec"]["shape"] == [1, 8, 8]
    assert read_config(whole)["method"]["name"] == "simclr"
    assert steps_of(whole) == [1, 2, 4, 6, 8, 10, 12]


def test_the_checkpoint_before_the_last_is_kept(broken: Path) -> None:
    folder = broken / "checkpoints"
    assert {p.name for p in folder.iterdir()} == {"last.ckpt", "previous.ckpt"}
    found = [torch.load(folder / n, weights_only=True)["global_step"] for n in ("last.ckpt", "previous.ckpt")]
    assert found == [8, 4]


@pytest.mark.parametrize("keep", [0, 1000, 0.5, 0.999])
def test_a_torn_checkpoint_gives_way_to_the_one_before(broken: Path, whole: Path, keep: float) -> None:
    last = broken / "checkpoints" / "last.ckpt"
    data = last.read_bytes()
    last.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    found = last_checkpoint(broken)
    assert found is not None
    assert found.name == "previous.ckpt"
    train(plan(checkpoint_steps=4), broken, resume=True)
    assert same_weights(broken, whole)


def test_resuming_drops_the_rows_that_are_made_again(broken: Path, whole: Path) -> None:
    assert steps_of(broken)[-1] == 10  # two further than the checkpoint
    train(plan(checkpoint_steps=4), broken, resume=True)
    assert steps_of(broken) == steps_of(whole)
    assert same_weights(broken, whole)


def test_a_run_without_any_checkpoint_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Path
) -> None:
    with monkeypatch.context() as m:
        dies_at(m, 3, MemoryError("killed"))
        with pytest.raises(MemoryError):
            train(plan(checkpoint_steps=4), tmp_path)
    assert last_checkpoint(tmp_path) is None
    train(plan(checkpoint_steps=4), tmp_path, resume=True)
    assert steps_of(tmp_path) == steps_of(whole)
    assert same_weights(tmp_path, whole)


def test_checkpoints_that_all_are_broken_are_an_error_not_a_fresh_start(broken: Path) -> None:
    for path in (broken / "checkpoints").iterdir():
        path.write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match=r"last\.ckpt"):
        train(plan(), broken, resume=True)


def test_a_checkpoint_never_runs_code(broken: Path, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "pwned",))

    for path in (broken / "checkpoints").iterdir():
        torch.save({"global_step": 8, "state_dict": Hostile()}, path)
    with pytest.raises(InputError):
        train(plan(), broken, resume=True)
    assert not (tmp_path / "pwned").exists()


def test_a_checkpoint_of_another_method_is_refused(broken: Path) -> None:
    with pytest.raises(InputError) as caught:
        train(plan("vicreg"), broken, resume=True)
    assert "\n" not in str(caught.value)
    assert "last.ckpt" in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_goes_bad_stops_the_run_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    inner = SimCLR.loss

    def loss(self, z):
        return inner(self, z) * (value if self.progress * 12 > 6.5 else 1.0)

    monkeypatch.setattr(SimCLR, "loss", loss)
    with pytest.raises(RunError) as caught:
        train(plan(checkpoint_steps=4), tmp_path)
    text = str(caught.value)
    assert f"loss became {value} at step 7" in text
    assert "optimizer.lr" in text
    named = text.split(" in ")[1].split(")")[0]
    assert any(name.startswith(named) for name, _ in plan().method.named_parameters()), named
    assert "Last good checkpoint: step 4" in text
    assert f"anyview resume {tmp_path}" in text
    assert "\n" not in text
    kept = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert kept["global_step"] == 4
    assert all(t.isfinite().all() for t in kept["state_dict"].values() if t.is_floating_point())
    assert not (tmp_path / "encoder").exists()


def test_a_gradient_that_goes_bad_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = SimCLR.loss
    # sqrt at zero: the loss is finite and its gradient is not
    monkeypatch.setattr(SimCLR, "loss", lambda self, z: inner(self, z) + (z - z).square().sum().sqrt())
    with pytest.raises(RunError, match="gradient became"):
        train(plan(log_steps=1), tmp_path)


def test_a_failed_run_ends_the_command_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(SimCLR, "loss", lambda self, z: z.sum() * float("nan"))
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", PIXELS.numpy())
    assert (
        main(["pretrain", "simclr", "x.npy", "--epochs", "1", "--set", "health=false", "--out", "run"]) == 1
    )
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "loss became nan at step 0" in err


def test_a_collapse_ends_the_run_when_told_to(tmp_path: Path) -> None:
    # the paper's own ablation: no predictor, and a teacher that is the student itself
    options = {
        "predictor": False,
        "method.momentum": 0.0,
        "lr": 1.0,
        "warmup": 0.0,
        "epochs": 200,
        "health": True,
        "stop_on_collapse": True,
        "log_steps": 1,
    }
    with pytest.raises(RunError) as caught:
        train(plan("byol", **options), tmp_path)
    text = str(caught.value)
    assert text.startswith("stopped: collapsing since step ")
    assert "momentum below 0.9 or a missing predictor" in text
    assert (tmp_path / "encoder" / "model.safetensors").exists()
    assert json.loads((tmp_path / "health.json").read_text())["collapsed"] is True
    assert max(steps_of(tmp_path)) < 600


def test_a_collapse_is_only_a_warning_unless_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = {"rank": 1.0, "rank_of": 64.0, "std": 0.0, "alignment": 0.0, "uniformity": 0.0, "alpha": 3.0}

    def measure(self, method):
        self.last = flat
        return flat

    monkeypatch.setattr(Health, "measure", measure)
    train(plan(health=True, log_steps=1), tmp_path)
    assert max(steps_of(tmp_path)) == 12
    health = json.loads((tmp_path / "health.json").read_text())
    assert health["collapsed"] is True
    assert len(health["events"]) == 1


def test_minutes_end_the_run_and_the_schedule_with_it(tmp_path: Path) -> None:
    start = time.monotonic()
    train(make_plan("simclr", PIXELS, options={**QUICK, "minutes": 0.03, "log_steps": 1}), tmp_path)
    assert time.monotonic() - start < 12
    with (tmp_path / "metrics.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    seconds, progress = [[float(row[k]) for row in rows] for k in ("seconds", "progress")]
    longest = max(b - a for a, b in pairwise(seconds))
    assert 1.7 <= seconds[-1] <= 1.8 + 2 * longest + 0.1
    assert all(a <= b for a, b in pairwise(progress))
    assert progress[-1] > 1 - (2 * longest + 0.1) / 1.8
    assert float(rows[-1]["lr"]) < 0.1 * max(float(row["lr"]) for row in rows)


def test_an_interrupted_run_is_saved_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Path
) -> None:
    from signal import SIGINT, getsignal, raise_signal

    inner, before = Pretraining.training_step, getsignal(SIGINT)

    def training_step(self, batch, batch_idx):
        if self.global_step == 5:
            raise_signal(SIGINT)
        return inner(self, batch, batch_idx)

    with monkeypatch.context() as m:
        m.setattr(Pretraining, "training_step", training_step)
        with pytest.raises(Interrupted, match=rf"saved at step 6. Continue with: anyview resume {tmp_path}"):
            train(plan(checkpoint_steps=4), tmp_path)
    assert getsignal(SIGINT) is before
    assert not (tmp_path / "encoder").exists()
    train(plan(checkpoint_steps=4), tmp_path, resume=True)
    assert same_weights(tmp_path, whole)


def test_a_new_folder_is_numbered_when_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = [str(new_run_folder(None, "simclr", "my photos/2")) for _ in range(3)]
    assert made == ["runs/simclr-my-photos-2", "runs/simclr-my-photos-2-2", "runs/simclr-my-photos-2-3"]


def test_of_several_processes_the_others_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANYVIEW_RUN", raising=False)
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(InputError, match="name it with --out"):
        new_run_folder(None, "simclr", "digits")
    assert new_run_folder("mine", "simclr", "digits") == Path("mine")
    assert not list(tmp_path.iterdir())  # the first makes it
    monkeypatch.setenv("ANYVIEW_RUN", "runs/simclr-digits-2")  # by the first, that started this one
    assert new_run_folder(None, "simclr", "digits") == Path("runs/simclr-digits-2")


def test_a_folder_in_use_is_left_alone(tmp_path: Path, whole: Path) -> None:
    with pytest.raises(InputError, match="anyview resume"):
        new_run_folder(whole, "simclr", "x")
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="not an empty folder"):
        new_run_folder(tmp_path, "simclr", "x")
    with pytest.raises(InputError, match="cannot write"):
        new_run_folder(tmp_path / "note.txt" / "run", "simclr", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize("text", ["", "[1, 2]", "method: {name: simclr}", "a: [", "\x00"])
def test_a_broken_configuration_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_config(tmp_path)
    assert "config.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_gradient_cache_runs_through_the_loop(tmp_path: Path) -> None:
    """Without batch statistics the cache is exact; with them losses stay near and finite."""
    model = train(plan("mae", cache_chunk=3), tmp_path)
    other = tmp_path / "plain"
    other.mkdir()
    assert model.embed(PIXELS).shape == (48, train(plan("mae"), other).dim)
    losses = []
    for run in (tmp_path, other):
        with (run / "metrics.csv").open(newline="") as f:
            losses.append([float(row["loss"]) for row in csv.DictReader(f)])
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


def test_tensorboard_files_when_asked(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    train(plan(tensorboard=True, epochs=1), tmp_path)
    written = [p for p in (tmp_path / "tensorboard").rglob("events.out.*") if p.stat().st_size]
    assert written
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(written[0].parent))
    events.Reload()
    assert any("loss" in tag for tag in events.Tags()["scalars"])
