"""Every script in examples/ runs, with tiny settings, in a folder of its own."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Callable[..., str]:
    """Runs a script as a program would, in this process, which has imported the library already."""

    def run(folder: Path, script: str, *args: str) -> str:
        monkeypatch.delenv("ANYVIEW_DATA", raising=False)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", [str(EXAMPLES / script), *args])
        capsys.readouterr()
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        return capsys.readouterr().out

    return run


def alone(folder: Path, script: str, *args: str) -> str:
    """Runs a script in a process of its own."""
    env = {k: v for k, v in os.environ.items() if k != "ANYVIEW_DATA"}
    command = [sys.executable, str(EXAMPLES / script), *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def photos(folder: Path) -> Path:
    """Twelve images of mixed sizes in one folder, without labels, and a broken one."""
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for i in range(12):
        size = tuple(int(s) for s in rng.integers(12, 24, 2))
        Image.fromarray(rng.integers(0, 255, (*size, 3), np.uint8)).save(folder / "photos" / f"{i}.png")
    (folder / "photos" / "broken.jpg").write_bytes(b"\xff\xd8 nonsense")
    return folder / "photos"


def test_every_example_has_a_test() -> None:
    here = Path(__file__).read_text()
    assert all(f'"{path.name}"' in here for path in EXAMPLES.glob("*.py"))


def test_pretrain_digits_judges_and_keeps_vectors(tmp_path: Path, run: Callable[..., str]) -> None:
    out = run(tmp_path, "pretrain_photos.py", "--epochs", "1", "--out", "run")
    assert "nearest neighbours" in out
    assert "learn" in out
    assert np.load(tmp_path / "vectors.npy").shape == (1437, 96)
    assert (tmp_path / "run" / "report.html").is_file()


def test_pretrain_photos_without_labels(tmp_path: Path, run: Callable[..., str]) -> None:
    out = run(tmp_path, "pretrain_photos.py", str(photos(tmp_path)), "--epochs", "1", "--out", "run")
    assert "no labels" in out
    vectors = np.load(tmp_path / "vectors.npy")
    assert len(vectors) == 12
    assert np.isfinite(vectors).all()
    assert "broken.jpg" in (tmp_path / "run" / "skipped.csv").read_text()


def test_custom_loop_lowers_the_loss(tmp_path: Path) -> None:
    out = alone(tmp_path, "custom_loop.py", "21")
    losses = [float(line.split()[-1]) for line in out.splitlines() if line.startswith("step")]
    assert len(losses) == 2
    assert losses[-1] < losses[0]
    assert "(360, 96)" in out


def test_embed_and_search_finds_the_twin(tmp_path: Path, run: Callable[..., str]) -> None:
    out = run(tmp_path, "embed_and_search.py", "--epochs", "1", "--neighbours", "4")
    rows = out[out.index("sample ") :].splitlines()
    similarity = [float(row.split()[3]) for row in rows]
    assert len(rows) == 4
    assert similarity == sorted(similarity, reverse=True)
    assert all(value <= 1.0 + 1e-6 for value in similarity)
    again = run(tmp_path, "embed_and_search.py", "runs/simclr-digits", "digits", "--neighbours", "4")
    assert again.splitlines() == rows


@pytest.mark.parametrize("script", ["pretrain_photos.py", "embed_and_search.py"])
def test_help_says_what_can_be_given(tmp_path: Path, script: str) -> None:
    assert "data" in alone(tmp_path, script, "--help")
