"""``anyview embed`` into a folder of parts: of one process or several, whole or gone on with, of one thing only."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import anyview
from anyview.cli import embed as command
from anyview.cli.main import main

DRAW = np.random.default_rng(0)
ROWS = 7  #: a part, in these tests


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("embed")
    x = DRAW.integers(0, 256, (30, 1, 8, 8), dtype=np.uint8)
    np.savez(
        path / "x.npz", x_train=x[:20], y_train=np.arange(20) % 3, x_test=x[20:], y_test=np.arange(10) % 3
    )
    assert main(["pretrain", "simclr", f"{path}/x.npz", "--epochs", "1", "--out", f"{path}/run"]) == 0
    return path


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(command, "ROWS", ROWS)
    return folder


def vectors(folder: Path, data: str = "x.npz") -> np.ndarray:
    model = anyview.load(folder / "run")
    return np.concatenate([model.embed(folder / data, split=split) for split in ("train", "test")])


def test_a_folder_is_one_table_in_order(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["embed", "run", "x.npz", "--out", f"{tmp_path}/v"]) == 0
    assert "30 x 96 float32 in 5 parts" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "v").glob("*.parquet")) == [
        f"part-{i:06d}.parquet" for i in range(5)
    ]
    table = pq.read_table(tmp_path / "v")
    assert table.column_names == ["split", "index", "label", "vector"]
    assert table["split"].to_pylist() == ["train"] * 20 + ["test"] * 10
    assert table["index"].to_pylist() == [*range(20), *range(10)]
    assert table["label"].to_pylist() == [*(i % 3 for i in range(20)), *(i % 3 for i in range(10))]
    np.testing.assert_allclose(np.stack(table["vector"].to_numpy()), vectors(here), atol=1e-5)


def test_no_more_than_a_part_is_embedded_at_a_time(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, plain = [], command.Model.embed_source

    def counted(model, source, **options):
        sizes.append(len(source))
        return plain(model, source, **options)

    monkeypatch.setattr(command.Model, "embed_source", counted)
    assert main(["embed", "run", "x.npz", "--split", "train", "--out", f"{tmp_path}/v"]) == 0
    assert sizes == [7, 7, 6]
    assert pq.read_table(tmp_path / "v").column_names == ["index", "label", "vector"]


def test_what_is_there_is_not_made_again(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    args = ["embed", "run", "x.npz", "--out", f"{tmp_path}/v"]
    plain, calls = command.Model.embed_source, []

    def stopped_in_the_third(model, source, **options):
        calls.append(len(source))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(model, source, **options)

    monkeypatch.setattr(command.Model, "embed_source", stopped_in_the_third)
    assert main(args) == 130
    parts = tmp_path / "v"
    assert len(list(parts.glob("part-*"))) == 2
    (parts / ".part-000002.parquet.1.part").write_bytes(b"torn")  # of a process that was killed
    times = {p: p.stat().st_mtime_ns for p in parts.glob("part-*")}
    capsys.readouterr()
    assert main(args) == 0
    assert "5 parts (2 were there)" in capsys.readouterr().out
    assert all(p.stat().st_mtime_ns == t for p, t in times.items())
    assert sorted(p.name for p in parts.iterdir())[:2] == ["_vectors.json", "part-000000.parquet"]
    np.testing.assert_allclose(np.stack(pq.read_table(parts)["vector"].to_numpy()), vectors(here), atol=1e-5)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["run", "x.npz", "--split", "test"], "samples"),
        (["other", "x.npz"], "encoder"),
    ],
)
def test_a_folder_of_something_else_is_left_alone(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture, args: list[str], said: str
) -> None:
    assert main(["embed", "run", "x.npz", "--out", f"{tmp_path}/v"]) == 0
    if not (here / "other").exists():
        assert main(["pretrain", "simclr", "x.npz", "--epochs", "1", "--seed", "1", "--out", "other"]) == 0
    before = {p: p.read_bytes() for p in (tmp_path / "v").iterdir()}
    capsys.readouterr()
    assert main(["embed", *args, "--out", f"{tmp_path}/v"]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert f"folder of embeddings with {said}" in err
    assert {p: p.read_bytes() for p in (tmp_path / "v").iterdir()} == before


def test_a_folder_that_holds_other_files_is_refused(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "holiday.jpg").write_bytes(b"")
    assert main(["embed", "run", "x.npz", "--out", f"{tmp_path}/v"]) == 2
    assert "exists and is no folder of embeddings" in capsys.readouterr().err


def test_two_processes_share_the_parts(here: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from anyview.cli import embed, main; embed.ROWS = 7; "
        "sys.exit(main.main(['embed', 'run', 'x.npz', '--out', sys.argv[1]]))"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, f"{tmp_path}/v"],
            env=os.environ | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (1, 0)  # the second waits until the first has made the folder
    ]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert "14 x 96 float32 in 2 parts · process 1 of 2" in said[0]
    assert "16 x 96 float32 in 3 parts · process 0 of 2" in said[1]
    table = pq.read_table(tmp_path / "v")
    np.testing.assert_allclose(np.stack(table["vector"].to_numpy()), vectors(here), atol=1e-5)
    assert json.loads((tmp_path / "v" / command.MADE_BY).read_text())["samples"] == {"train": 20, "test": 10}


def test_a_process_whose_first_never_comes_says_so(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(command, "PATIENCE", 0.2)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["embed", "run", "x.npz", "--out", f"{tmp_path}/v"]) == 1
    assert "did the first process stop?" in capsys.readouterr().err
    assert not (tmp_path / "v").exists()
