"""``anyview pretrain`` and ``resume``: good input does what was said, in any way of saying it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from anyview.cli.main import main
from anyview.register import systems

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8)
METHODS = ("byol", "mae", "simclr", "vicreg")
FILES = {
    "config.yaml",
    "data.json",
    "metrics.csv",
    "health.json",
    "samples.npz",
    "embedding.npz",
    "report.html",
    "encoder/config.json",
    "encoder/model.safetensors",
    "checkpoints/last.ckpt",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    np.save(tmp_path / "x.npy", PIXELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed_config(args: str, capsys: pytest.CaptureFixture) -> dict:
    capsys.readouterr()
    assert main([*args.split(), "--print-config"]) == 0
    return yaml.safe_load(capsys.readouterr().out)


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_the_methods_here_are_those_tested() -> None:
    assert {s.id for s in systems(kind="method")} >= set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_one_epoch_makes_a_whole_run(method: str, here: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["pretrain", method, "x.npy", "--epochs", "1", "--out", "run"]) == 0
    out, err = capsys.readouterr()
    assert files(here / "run") >= FILES
    assert not [f for f in files(here) if "part" in f or f.endswith(".tmp")]
    assert err == ""
    heads = [line.split()[0] for line in out.splitlines() if line and not line.startswith(" ")]
    assert [h for h in heads if h != "training"] == ["data", "method", "budget", "verdict", "wrote", "next"]
    assert "run/report.html" in out
    assert "anyview evaluate run x.npy" in out
    with (here / "run" / "metrics.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    rows = [row for row in rows if row["loss"]]  # health has rows of its own
    assert np.isfinite(float(rows[0]["loss"]))
    assert float(rows[0]["samples_per_s"]) > 0
    assert 0 <= float(rows[0]["wait"]) <= 1
    assert "verdict" in json.loads((here / "run" / "health.json").read_text())


def test_the_folder_is_named_by_method_and_data_unless_given(here: Path) -> None:
    for _ in range(2):
        assert main(["pretrain", "simclr", "x.npy", "--epochs", "1", "--set", "health=false"]) == 0
    assert {p.name for p in (here / "runs").iterdir()} == {"simclr-x", "simclr-x-2"}


def test_a_run_repeats_from_its_configuration(here: Path, capsys: pytest.CaptureFixture) -> None:
    options = "--epochs 2 --seed 5 --batch-size 6 --set temperature=0.3 --set health=false"
    assert main(["pretrain", "simclr", "x.npy", *options.split(), "--out", "one"]) == 0
    assert main(["pretrain", "--config", "one/config.yaml", "--out", "two"]) == 0
    assert (here / "one/config.yaml").read_text() == (here / "two/config.yaml").read_text()
    one, two = (load_file(here / run / "encoder/model.safetensors") for run in ("one", "two"))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


@pytest.mark.parametrize("method", METHODS)
def test_a_printed_configuration_is_read_back(method: str, here: Path, capsys: pytest.CaptureFixture) -> None:
    config = printed_config(f"pretrain {method} x.npy --epochs 3 --seed 4 --set optimizer.name=sgd", capsys)
    (here / "f.yaml").write_text(yaml.safe_dump(config))
    assert printed_config("pretrain --config f.yaml", capsys) == config
    assert printed_config(f"pretrain {method} x.npy --config f.yaml", capsys) == config
    assert files(here) == {"x.npy", "f.yaml"}


def test_the_command_line_wins_over_the_file(here: Path, capsys: pytest.CaptureFixture) -> None:
    text = "method: simclr\ndata: x.npy\nseed: 3\nencoder: convnet-m\ntraining: {epochs: 5}\noptimizer: {lr: 0.01}\n"
    (here / "f.yaml").write_text(text)
    base = printed_config("pretrain --config f.yaml", capsys)
    assert base["seed"] == 3
    assert base["training"]["epochs"] == 5
    assert base["optimizer"]["lr"] == 0.01
    assert base["encoder"]["name"] == "convnet-m"
    won = printed_config(
        "pretrain --config f.yaml --seed 0 --minutes 2 --set lr=0.5 --encoder convnet-s", capsys
    )
    assert won["seed"] == 0
    assert won["training"]["epochs"] is None
    assert won["training"]["minutes"] == 2
    assert won["optimizer"]["lr"] == 0.5
    assert won["encoder"]["name"] == "convnet-s"
    (here / "method.yaml").write_text("method: {name: simclr, temperature: 0.1}\n")
    for given in ("--temperature 0.7", "--set method.temperature=0.7"):
        config = printed_config(f"pretrain simclr x.npy --config method.yaml {given}", capsys)
        assert config["method"]["temperature"] == 0.7


def test_all_ways_to_give_an_option_are_one(here: Path, capsys: pytest.CaptureFixture) -> None:
    ways = (
        "--set temperature=0.2 --set out_dim=16",
        "--set method.temperature=0.2 --set out_dim=16",
        "--temperature 0.2 --out-dim 16",
        "--temperature=0.2 --out_dim=16",
        "--method.temperature 0.2 --method.out_dim=16",
    )
    configs = [printed_config(f"pretrain simclr x.npy {way}", capsys) for way in ways]
    assert configs[0]["method"]["temperature"] == 0.2
    assert configs[0]["method"]["out_dim"] == 16
    assert all(config == configs[0] for config in configs)
    assert printed_config("pretrain simclr x.npy --batch-size 8", capsys) == printed_config(
        "pretrain simclr x.npy --set training.batch_size=8", capsys
    )
    assert printed_config("pretrain simclr x.npy --crop_scale [0.5,1]", capsys)["views"]["crop_scale"] == [
        0.5,
        1.0,
    ]


def test_a_dry_run_writes_nothing(here: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["pretrain", "simclr", "x.npy", "--epochs", "2", "--batch-size", "8", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert files(here) == {"x.npy"}
    assert [p.name for p in here.iterdir()] == ["x.npy"]
    assert "4 x 1 x 8 x 8" in out
    assert "2 x 4 x 128" in out
    assert any(line.split() == ["steps", "6"] for line in out.splitlines())


@pytest.mark.parametrize("method", METHODS)
def test_help_lists_the_options_of_a_method(method: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["pretrain", method, "--help"]) == 0
    out = capsys.readouterr().out
    own = {"byol": "predictor", "mae": "mask_ratio", "simclr": "temperature", "vicreg": "covariance"}[method]
    assert f"method.{own}" in out
    assert "optimizer.lr" in out
    assert "training.cache_chunk" in out
    assert "views.crop_scale" in out
    assert "(default: " in out
    assert "method.encoder" not in out


@pytest.mark.parametrize("command", ["pretrain", "resume", "evaluate", "embed", "systems", "demo"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture) -> None:
    try:
        code = main([command, "--help"])
    except SystemExit as stop:  # argparse's own
        code = stop.code
    assert code in (0, None)
    assert f"anyview {command}" in capsys.readouterr().out


def test_photos_of_mixed_sizes_with_a_broken_file(here: Path, capsys: pytest.CaptureFixture) -> None:
    rng = np.random.default_rng(1)
    for i, (w, h) in enumerate([(20, 30), (40, 12), (16, 16), (33, 21)] * 3):
        folder = here / "photos" / ("cats" if i % 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8))
        image.save(folder / f"{i}.{'png' if i % 3 else 'jpg'}")
    (here / "photos" / "cats" / "torn.jpg").write_bytes(
        (here / "photos" / "dogs" / "0.jpg").read_bytes()[:60]
    )
    (here / "photos" / "cats" / "Thumbs.db").write_bytes(b"junk")
    assert main(["pretrain", "simclr", "photos", "--epochs", "1", "--out", "run"]) == 0
    out = capsys.readouterr().out
    assert files(here / "run") >= FILES | {"skipped.csv"}
    with (here / "run" / "skipped.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    assert [Path(row["path"]).name for row in rows] == ["torn.jpg"]
    assert rows[0]["reason"]
    assert "12 train" in out
    assert "2 classes" in out
    assert "skipped.csv" in out
    vectors = np.load(here / "run" / "embedding.npz")
    assert len(vectors["vectors"]) == 12
    assert sorted(vectors["label"]) == [0] * 6 + [1] * 6


def test_a_complete_run_has_nothing_to_resume(here: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["pretrain", "simclr", "x.npy", "--epochs", "1", "--out", "run"]) == 0
    before = {f: (here / "run" / f).stat().st_mtime_ns for f in files(here / "run")}
    capsys.readouterr()
    assert main(["resume", "run"]) == 0
    out = capsys.readouterr().out
    assert "run is complete" in out
    assert {f: (here / "run" / f).stat().st_mtime_ns for f in files(here / "run")} == before


def test_a_run_whose_encoder_is_missing_is_finished_by_resume(here: Path) -> None:
    assert main(["pretrain", "mae", "x.npy", "--epochs", "1", "--out", "run"]) == 0
    weights = here / "run" / "encoder" / "model.safetensors"
    whole = load_file(weights)
    for path in (here / "run" / "encoder").iterdir():
        path.unlink()
    (here / "run" / "report.html").unlink()
    assert main(["resume", "run"]) == 0
    assert all(torch.equal(value, whole[name]) for name, value in load_file(weights).items())
    assert (here / "run" / "report.html").is_file()


def test_minutes_on_the_command_line(here: Path) -> None:
    args = ["pretrain", "simclr", "x.npy", "--minutes", "0.02", "--set", "log_steps=1", "--out", "run"]
    assert main(args) == 0
    with (here / "run" / "metrics.csv").open(newline="") as f:
        seconds = [float(row["seconds"]) for row in csv.DictReader(f)]
    assert 1.1 <= seconds[-1] <= 3.0
