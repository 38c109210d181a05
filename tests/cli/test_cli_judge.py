"""``anyview evaluate``, ``embed``, ``systems`` and ``demo``."""

import json
import math
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import anyview
from anyview.cli.main import main
from anyview.errors import InputError
from anyview.training.supervised import train_supervised

RNG = np.random.default_rng(0)
LABEL = np.arange(60) % 3
PIXELS = (RNG.integers(0, 60, (60, 8, 8)) + 60 * LABEL[:, None, None]).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("judge")
    np.savez(path / "x.npz", x_train=PIXELS[:42], y_train=LABEL[:42], x_test=PIXELS[42:], y_test=LABEL[42:])
    np.savez(path / "whole.npz", x=PIXELS, y=LABEL)
    np.savez(path / "test.npz", x=PIXELS[42:], y=LABEL[42:])
    np.save(path / "unlabelled.npy", PIXELS)
    args = ["pretrain", "simclr", f"{path}/x.npz", "--epochs", "2", "--out", f"{path}/run"]
    assert main(args) == 0
    return path


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def test_json_has_the_shape_other_programs_rely_on(here: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["evaluate", "run", "x.npz", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)  # nothing but JSON on standard output
    assert [r["protocol"] for r in results] == ["fewshot-1", "fewshot-5", "fewshot-10", "linear", "knn"]
    for result in results:
        assert set(result) == {"protocol", "metric", "split", "figures"}
        assert (result["metric"], result["split"]) == ("accuracy", "test")
        assert set(result["figures"]) == {"pretrained", "untrained", "raw"}
        for figure in result["figures"].values():
            assert set(figure) == {"mean", "std", "n", "low", "high"}
            assert figure["low"] <= figure["mean"] <= figure["high"]
            assert 0 <= figure["mean"] <= 1
            assert math.isfinite(figure["std"])
            assert isinstance(figure["n"], int)
            assert figure["n"] >= 20
    assert json.loads((here / "run" / "evaluation.json").read_text()) == results
    assert results[3]["figures"]["raw"]["mean"] > 0.9  # brightness is the class


def test_the_same_seed_gives_the_same_figures(here: Path, capsys: pytest.CaptureFixture) -> None:
    printed = []
    for seed in ("1", "1", "2"):
        assert main(["evaluate", "run", "x.npz", "--protocol", "fewshot", "--seed", seed, "--json"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0] != printed[2]


def test_the_table_the_verdict_and_the_files(here: Path, capsys: pytest.CaptureFixture) -> None:
    for name in ("evaluation.json", "verdict.txt"):
        (here / "run" / name).unlink(missing_ok=True)
    assert main(["evaluate", "run", "x.npz", "--protocol", "knn", "linear"]) == 0
    out = capsys.readouterr().out
    for word in ("untrained", "raw pixels", "simclr", "nearest neighbours", "all labels, linear", "±"):
        assert word in out
    verdict = next(line for line in out.splitlines() if line.startswith("verdict"))
    assert "learn" in verdict
    assert [r["protocol"] for r in json.loads((here / "run" / "evaluation.json").read_text())] == [
        "knn",
        "linear",
    ]
    assert (here / "run" / "verdict.txt").read_text().strip() == verdict.removeprefix("verdict").strip()
    assert "nearest neighbours" in (here / "run" / "report.html").read_text()


@pytest.mark.parametrize("args", ["whole.npz", "whole.npz --test test.npz", "x.npz --test test.npz"])
def test_where_the_test_split_comes_from(args: str, here: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["evaluate", "run", *args.split(), "--protocol", "knn", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["figures"]["raw"]["mean"] > 0.6  # of three classes


def test_supervised_is_one_more_figure(
    here: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anyview.evaluation.run.train_supervised", partial(train_supervised, max_steps=24))
    assert main(["evaluate", "run", "x.npz", "--protocol", "linear", "--supervised", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert set(result["figures"]) == {"pretrained", "untrained", "raw", "supervised"}
    assert result["figures"]["supervised"]["mean"] > 0.5


def test_a_saved_encoder_without_a_run_is_judged_too(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    anyview.load("run").save(tmp_path / "saved")
    capsys.readouterr()
    assert main(["evaluate", f"{tmp_path}/saved", "x.npz", "--protocol", "knn"]) == 0
    assert "pretrained" in capsys.readouterr().out
    assert {p.name for p in (tmp_path / "saved").iterdir()} == {"config.json", "model.safetensors"}


def test_embeddings_to_parquet_and_npy(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    model = anyview.load("run")
    for name in ("v.parquet", "v.npy"):
        assert main(["embed", "run", "x.npz", "--split", "test", "--out", f"{tmp_path}/{name}"]) == 0
        assert f"18 x {model.dim} float32" in capsys.readouterr().out
    vectors = np.load(tmp_path / "v.npy")
    assert vectors.dtype == np.float32
    assert vectors.shape == (18, model.dim)
    np.testing.assert_array_equal(vectors, model.embed("x.npz", split="test"))
    table = pq.read_table(tmp_path / "v.parquet")
    assert table.column_names == ["index", "label", "vector"]
    assert table.num_rows == 18
    assert str(table.schema.field("vector").type.value_type) == "float"
    assert table.schema.field("vector").type.list_size == model.dim
    assert table["index"].to_pylist() == list(range(18))
    assert table["label"].to_pylist() == LABEL[42:].tolist()
    np.testing.assert_array_equal(np.stack(table["vector"].to_numpy()), vectors)


def test_without_a_split_all_are_embedded_in_order(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    model = anyview.load("run")
    for name in ("v.parquet", "v.npy"):
        assert main(["embed", "run", "x.npz", "--out", f"{tmp_path}/{name}"]) == 0
        assert "60 x" in (said := capsys.readouterr().out)
        assert "42 train then 18 test" in said
    vectors = np.load(tmp_path / "v.npy")
    np.testing.assert_array_equal(vectors[42:], model.embed("x.npz", split="test"))
    table = pq.read_table(tmp_path / "v.parquet")
    assert table.column_names == ["split", "index", "label", "vector"]
    assert table["split"].to_pylist() == ["train"] * 42 + ["test"] * 18
    assert table["index"].to_pylist() == [*range(42), *range(18)]
    assert table["label"].to_pylist() == LABEL.tolist()


def test_from_python_one_split_is_embedded_and_must_be_named(here: Path) -> None:
    with pytest.raises(InputError, match="train, test; say which with split"):
        anyview.load("run").embed("x.npz")


def test_a_run_without_a_checkpoint_says_that_it_begins_again(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = shutil.copytree("run", tmp_path / "run")
    shutil.rmtree(run / "encoder")
    for checkpoint in (run / "checkpoints").iterdir():
        checkpoint.unlink()
    assert main(["resume", str(run)]) == 0
    assert "it ended before its first checkpoint; it begins again" in capsys.readouterr().out
    assert (run / "encoder" / "config.json").is_file()
    assert main(["resume", str(run)]) == 0
    assert "begins again" not in capsys.readouterr().out


def test_unlabelled_embeddings_have_no_label_column(here: Path, tmp_path: Path) -> None:
    assert main(["embed", "run", "unlabelled.npy", "--out", f"{tmp_path}/v.parquet"]) == 0
    assert pq.read_schema(tmp_path / "v.parquet").names == ["index", "vector"]


def test_embed_writes_over_an_older_file_and_leaves_no_other(here: Path, tmp_path: Path) -> None:
    (tmp_path / "v.npy").write_bytes(b"old")
    assert main(["embed", "run", "unlabelled.npy", "--out", f"{tmp_path}/v.npy", "--batch-size", "7"]) == 0
    assert np.load(tmp_path / "v.npy").shape[0] == 60
    assert [p.name for p in tmp_path.iterdir()] == ["v.npy"]


def test_systems_as_json(capsys: pytest.CaptureFixture) -> None:
    assert main(["systems", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"simclr", "byol", "vicreg", "mae"} <= {s["id"] for s in listed}
    for entry in listed:
        assert set(entry) == {"id", "title", "year", "paper", "kind", "modalities", "where", "evidence"}
        assert isinstance(entry["year"], int)
        assert entry["modalities"]
        evidence = entry["evidence"]
        assert evidence is None or set(evidence) == {"script", "holds", "date"}
        module, _, name = entry["where"].rpartition(".")
        assert hasattr(__import__(module, fromlist=[name]), name)
    assert [s["id"] for s in listed] == sorted(s["id"] for s in listed)


def test_systems_by_kind_and_modality(capsys: pytest.CaptureFixture) -> None:
    assert main(["systems", "--kind", "method", "--modality", "image", "--json"]) == 0
    assert all(s["kind"] == "method" for s in json.loads(capsys.readouterr().out))
    assert main(["systems"]) == 0
    out = capsys.readouterr().out
    assert "simclr" in out
    assert "2020" in out
    assert len(out.splitlines()) == 1 + len(anyview.systems())  # a line each


def test_demo_ends_with_a_table_a_verdict_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--minutes", "0.05", "--out", "shown"]) == 0
    out = capsys.readouterr().out
    for word in (
        "digits",
        "1,437 train, 360 test",
        "raw pixels",
        "1 label a class",
        "verdict",
        "shown/report.html",
    ):
        assert word in out
    report = (tmp_path / "shown" / "report.html").read_text()
    assert report.lstrip().lower().startswith("<!doctype html>")
    assert "1 label a class" in report
    assert len(json.loads((tmp_path / "shown" / "evaluation.json").read_text())) == 5
    assert [p.name for p in tmp_path.iterdir()] == ["shown"]
