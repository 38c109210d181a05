"""``anyview suite``: the table, JSON alone, going on, and one line when it cannot work."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import anyview as av
from anyview.cli.main import main
from anyview.errors import InputError
from anyview.evaluation.suites import SUITES
from anyview.evaluation.suites.base import Suite, Task
from anyview.modalities import modality
from anyview.training.model import Model

SPEC = {"shape": [1, 8, 8], "mean": [0.5], "std": [0.25]}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an encoder, a set of squares, and a suite of it."""
    monkeypatch.chdir(tmp_path)
    rng, y = np.random.default_rng(0), np.arange(120) % 3
    x = (rng.integers(0, 60, (120, 8, 8)) + 60 * y[:, None, None]).astype(np.uint8)
    np.savez("squares.npz", x_train=x[:90], y_train=y[:90], x_test=x[90:], y_test=y[90:])
    kind = modality("image")
    torch.manual_seed(0)
    Model(kind.encoder("convnet-s", SPEC, width=4), kind, SPEC).save("mine")
    tasks = (
        Task("few", "squares.npz", "squares", labels=30, protocol="knn"),
        Task("all", "squares.npz", "squares", protocol="knn"),
        Task("gone", "no-such-set", "others"),
    )
    monkeypatch.setitem(
        SUITES, "tiny", Suite("tiny", "image", "nobody (arXiv:0)", ("made for a test",), tasks)
    )
    return tmp_path


def test_table_json_and_going_on(here: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["suite", "tiny", "mine"]) == 0
    out = capsys.readouterr().out
    for text in (
        "follows   nobody (arXiv:0)",
        "untrained  raw pixels",
        "mean of squares",
        "but       made for a test",
        "left out  gone:",
        "verdict   ",
        "1 of 3 tasks were left out",
        "wrote     runs/suite-tiny-mine/suite.json",
    ):
        assert text in out
    kept = here / "runs" / "suite-tiny-mine"
    before = {p: p.stat().st_mtime_ns for p in kept.rglob("seed-*.json")}
    assert len(before) == 2
    assert main(["suite", "tiny", "mine", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)  # nothing but JSON
    assert {p: p.stat().st_mtime_ns for p in kept.rglob("seed-*.json")} == before
    assert record == json.loads((kept / "suite.json").read_text())
    assert record["deviations"] == ["made for a test"]
    assert [t["task"] for t in record["tasks"]] == ["few", "all"]
    assert set(record["tasks"][0]["figures"]) == {"pretrained", "untrained", "raw"}
    score = av.suite("tiny", av.load("mine"), quiet=True)
    assert {k: f.record() for k, f in score.results["all"].figures.items()} == record["tasks"][1]["figures"]
    assert score.folder == Path("runs/suite-tiny-convnet-s")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["tony", "mine"], 'no suite "tony"; did you mean "tiny"'),
        (["sentences", "mine"], "sentences judges encoders of texts; mine reads images"),
        (["tiny", "nowhere"], "no run folder nowhere"),
        (["tiny", "mine", "--epochs", "2"], "mine is trained already"),
        (["tiny", "mine", "--protocol", "linear", "--seeds", "0"], "seeds is 0"),
        (["series", "simclr"], "give --epochs or --minutes"),
        (["series", "simclear", "--epochs", "1"], 'no method "simclear"; did you mean "simclr"'),
    ],
)
def test_one_line_and_nothing_written(args: list[str], message: str, here: Path) -> None:
    from anyview.cli.suite import run

    with pytest.raises(InputError, match=message):
        run(args)
    assert not (here / "runs").exists()


def test_a_folder_of_something_else_is_left_alone(here: Path) -> None:
    from anyview.cli.suite import run

    (here / "full").mkdir()
    (here / "full" / "x").write_text("mine")
    with pytest.raises(InputError, match="full exists and is no suite; name another --out"):
        run(["tiny", "mine", "--out", "full"])
    assert [p.name for p in (here / "full").iterdir()] == ["x"]
