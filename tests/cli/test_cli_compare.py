"""``anyview compare``: one budget for all, nothing done twice, and a page that says which one."""

import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest

import anyview as av
from anyview.cli.main import main
from anyview.evaluation.contest import Watch
from anyview.evaluation.entries import read_method
from anyview.methods.base import Method

RNG = np.random.default_rng(0)
LABEL = np.arange(90) % 3
PIXELS = (RNG.integers(0, 80, (90, 8, 8)) + 60 * LABEL[:, None, None]).astype(np.uint8)
ARGS = ["--epochs", "2", "--protocol", "knn", "--out", "cmp"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.savez("x.npz", x=PIXELS, y=LABEL)
    return tmp_path


def test_a_comparison_is_judged_alike_interrupted_continued_and_extended(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    looks, quality = [], Watch.__call__

    def stopped(self: Watch, method: Method) -> float:
        looks.append(method)
        if len(looks) in (2, 4):  # half-way, and at the very end
            os.kill(os.getpid(), signal.SIGINT)
        return quality(self, method)

    monkeypatch.setattr(Watch, "__call__", stopped)
    two = ["compare", "x.npz", "--methods", "simclr", "vicreg", "--seeds", "1", *ARGS]
    for _ in range(2):
        assert main(two) == 130
        assert f"Continue with: anyview {' '.join(two)}" in capsys.readouterr().err
        assert not list(here.glob("cmp/*/*/compared.json"))

    assert main(two) == 0
    printed = capsys.readouterr().out
    assert "simclr, seed 0 (1 of 2)" in printed
    assert re.search(
        r"verdict   (simclr|vicreg) leads by nearest neighbours: .* With one seed nobody can say", printed
    )
    first = {p: p.stat().st_mtime_ns for p in here.glob("cmp/*/*/compared.json")}
    assert len(first) == 2

    assert main([*two[:3], "simclr", "vicreg", "byol", "--seeds", "2", *ARGS, "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert {p: p.stat().st_mtime_ns for p in first} == first  # what was done was not done again
    assert {m["name"] for m in table["methods"]} == {"simclr", "vicreg", "byol"}
    assert [len(m["figures"][0]["seeds"]) for m in table["methods"]] == [2, 2, 2]
    means = [m["figures"][0]["mean"] for m in table["methods"]]
    assert means == sorted(means, reverse=True)
    assert len(table["differences"]) == 10  # of three methods, raw and untrained
    assert {len(m["cost"]) for m in table["methods"]} == {3}
    assert len({m["cost"]["samples"] for m in table["methods"]}) == 1
    page = (here / "cmp" / "compare.html").read_text()
    assert table["verdict"].split(".")[0] in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)

    # as if it had never been interrupted
    whole = av.compare(
        "x.npz", methods=["simclr"], epochs=2, seeds=1, protocols=["knn"], out="whole", quiet=True
    )
    assert whole.methods[0].figures == read_method(here / "cmp", "simclr", 1).figures
    weights = [
        (here / place / "simclr/seed-0/encoder/model.safetensors").read_bytes() for place in ("cmp", "whole")
    ]
    assert weights[0] == weights[1]
    steps = [row["step"] for row in json.loads((here / "cmp/simclr/seed-0/quality.json").read_text())]
    assert steps == sorted(set(steps))

    assert main([*two[:-2], "--out", "cmp", "--set", "batch_size=8"]) == 2
    assert "holds a comparison with options" in capsys.readouterr().err


def test_a_run_that_fails_costs_itself_only(here: Path) -> None:
    table = av.compare(
        "x.npz",
        methods=["simclr", "vicreg"],
        epochs=2,
        seeds=1,
        protocols=["knn"],
        out="cmp",
        quiet=True,
        simclr__optimizer__lr=1e30,
    )
    assert table.judged[0].name == "vicreg"
    assert "loss became nan" in table.methods[-1].failed[0]
    assert "Failed in some seed: simclr." in table.record()["verdict"]
    assert "seed 0 failed" in (here / "cmp/compare.html").read_text()


WRONG = {
    "no budget": (["compare", "x.npz", "--methods", "simclr"], "give minutes or epochs"),
    "two budgets": (
        ["compare", "x.npz", "--methods", "simclr", "--epochs", "1", "--minutes", "1"],
        "minutes or epochs",
    ),
    "method": (
        ["compare", "x.npz", "--methods", "simclr", "vicregg", "--epochs", "1"],
        'did you mean "vicreg"',
    ),
    "option": (
        ["compare", "x.npz", "--methods", "simclr", "--epochs", "1", "--set", "temprature=1"],
        "temperature",
    ),
    "other": (
        ["compare", "x.npz", "--methods", "simclr", "--epochs", "1", "--set", "byol.momentum=1"],
        "of none of",
    ),
    "protocol": (
        ["compare", "x.npz", "--methods", "simclr", "--epochs", "1", "--protocol", "knm"],
        'did you mean "knn"',
    ),
    "labels": (["compare", "plain.npy", "--methods", "simclr", "--epochs", "1"], "needs labels"),
    "folder": (
        ["compare", "x.npz", "--methods", "simclr", "--epochs", "1", "--out", "full"],
        "is no comparison",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_line_and_nothing_is_written(
    here: Path, capsys: pytest.CaptureFixture, case: str
) -> None:
    np.save("plain.npy", PIXELS)
    (here / "full").mkdir()
    (here / "full" / "mine.txt").write_text("mine")
    before = sorted(here.rglob("*"))
    args, said = WRONG[case]
    assert main(args) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert sorted(here.rglob("*")) == before
