"""Ranking runs: by the figures of embeddings that are known, and by views made anew."""

import json
import shutil

import numpy as np
import pytest
import torch

from anyview.cli.main import main
from anyview.errors import InputError
from anyview.evaluation.select import select
from anyview.objectives.criteria import CRITERIA
from anyview.objectives.spectrum import rankme
from anyview.training.plan import make_plan
from anyview.training.run import train


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 3, 8, 8), dtype=np.uint8)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run on a file, and copies of it whose kept embeddings have rank 2, 9 and 5."""
    folder = tmp_path_factory.mktemp("select")
    np.save(folder / "x.npy", pixels())
    first = folder / "two"
    first.mkdir()
    options = {"epochs": 1, "health": False, "encoder.width": 4, "encoder.name": "convnet-s"}
    train(make_plan("simclr", folder / "x.npy", options=options), first)
    for name, rank in (("two", 2), ("nine", 9), ("five", 5)):
        if name != "two":
            shutil.copytree(first, folder / name)
        vectors = np.linalg.qr(np.random.default_rng(1).normal(size=(40, rank)))[0] @ np.eye(rank, 16)
        np.savez(folder / name / "embedding.npz", vectors=vectors.astype(np.float32))
    return [folder / name for name in ("two", "nine", "five")]


def test_runs_are_ranked_by_the_embedding_they_keep(runs):
    ranked = select(runs)
    assert [r.run.name for r in ranked] == ["nine", "five", "two"]
    assert [r.value for r in ranked] == pytest.approx([9, 5, 2], rel=1e-3)
    assert {(r.method, r.samples, r.dim) for r in ranked} == {("simclr", 40, 16)}


def test_less_is_better_for_a_decay(runs):
    assert [r.run.name for r in select(runs, "spectrum-decay")] == ["nine", "five", "two"]


def test_data_is_embedded_anew(runs):
    ranked = select(runs[:2], data=pixels())
    assert ranked[0].value == ranked[1].value  # the encoders are the same, whatever the folders keep
    assert ranked[0].samples == 48
    from anyview.training.model import Model

    assert ranked[0].value == pytest.approx(
        float(rankme(torch.from_numpy(Model.load(runs[0]).embed(pixels()))))
    )


@pytest.mark.parametrize("by", [name for name, c in CRITERIA.items() if c.views > 1])
def test_views_are_the_same_for_every_run_and_every_time(runs, by):
    values = [r.value for r in select(runs[:2], by)]
    assert values[0] == values[1] == select(runs[:2], by)[0].value
    assert np.isfinite(values[0])


def test_a_broken_embedding_is_made_anew(runs, tmp_path):
    torn = shutil.copytree(runs[0], tmp_path / "torn")
    (torn / "embedding.npz").write_bytes(b"PK\x03\x04 torn")
    assert {r.run.name: r.samples for r in select([torn, runs[1]])} == {"torn": 48, "nine": 40}


def test_a_run_without_figure_is_last_and_null(runs, tmp_path, capsys):
    bad = shutil.copytree(runs[0], tmp_path / "bad")
    np.savez(bad / "embedding.npz", vectors=np.full((40, 16), np.nan, np.float32))
    assert main(["select", str(bad), str(runs[0]), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["run"] for row in said] == [str(runs[0]), str(bad)]
    assert said[1]["value"] is None
    with pytest.raises(InputError, match="not finite for any"):
        select([bad, shutil.copytree(bad, tmp_path / "worse")])


def test_the_command_names_one_winner(runs, capsys):
    assert main(["select", *map(str, runs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "method", "rankme", "of"]
    assert [line.split()[0] for line in lines[1:4]] == [str(runs[i]) for i in (1, 2, 0)]
    assert [line for line in lines if line.startswith("best")] == [
        f"best      {runs[1]} · effective rank (RankMe) 9, next 5 (more is better)"
    ]
    assert not any(line.startswith("but") for line in lines)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda run: shutil.rmtree(run), "no run folder"),
        (lambda run: (run / "config.yaml").unlink(), "not a run folder"),
        (lambda run: shutil.rmtree(run / "encoder"), "not finished; go on with: anyview resume"),
    ],
)
def test_what_is_no_finished_run_is_one_line(runs, tmp_path, capsys, change, says):
    other = shutil.copytree(runs[0], tmp_path / "other")
    change(other)
    assert main(["select", str(runs[1]), str(other)]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert str(other) in error
    assert error.count("\n") == 1


def test_wrong_names_and_too_few_runs(runs, capsys):
    assert main(["select", *map(str, runs), "--by", "rankmi"]) == 2
    assert 'no criterion "rankmi"; did you mean "rankme"?' in capsys.readouterr().err
    assert main(["select", str(runs[0]), str(runs[0])]) == 2
    assert "two different ones" in capsys.readouterr().err


def test_a_run_on_data_in_memory_needs_data_for_views(runs, tmp_path):
    import yaml

    other = shutil.copytree(runs[0], tmp_path / "memory")
    config = yaml.safe_load((other / "config.yaml").read_text())
    config["data"]["path"] = None
    (other / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(InputError, match="data in memory; say with --data"):
        select([other, runs[1]], "lidar")
