"""anyview systems: the list, and the grid of methods and kinds of data."""

import json

import pytest

from anyview.cli.main import main
from anyview.modalities import NAMES, modality
from anyview.register import systems
from anyview.training.plan import make_plan


def test_the_grid_says_what_runs_on_what_and_why_not(capsys: pytest.CaptureFixture) -> None:
    assert main(["systems", "--grid", "--json"]) == 0
    cells = json.loads(capsys.readouterr().out)
    assert {(c["method"], c["modality"]) for c in cells} == {
        (s.id, name) for s in systems(kind="method") for name in NAMES
    }
    for cell in cells:
        method = next(s for s in systems(kind="method") if s.id == cell["method"])
        able = method.target.needs in modality(cell["modality"]).views
        able = able and bool({"any", cell["modality"]} & set(method.modalities))
        assert cell["runs"] == (cell["why"] is None)
        assert cell["runs"] or cell["why"]
        if able:
            assert cell["runs"]


def test_the_grid_as_a_table(capsys: pytest.CaptureFixture) -> None:
    assert main(["systems", "--grid"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["method", *NAMES]
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:] if not line.startswith("- ")}
    assert rows["simclr"][NAMES.index("image")] == "yes"
    missing = sum(row.count("-") for row in rows.values())
    assert missing == sum(line.startswith("- ") for line in lines)


def test_help_shows_the_options_of_the_modality(capsys: pytest.CaptureFixture) -> None:
    for name in NAMES:
        if "two_views" not in modality(name).views:
            continue
        assert main(["pretrain", "simclr", "--modality", name, "--help"]) == 0
        out = capsys.readouterr().out
        assert f"options of simclr on {name} data" in out
        assert ("views.solarise" in out) == (name == "image")


def test_a_need_that_a_modality_cannot_give_names_those_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    from anyview.errors import InputError
    from anyview.methods.contrastive.simclr import SimCLR

    monkeypatch.setattr(SimCLR, "needs", "a_miracle")
    with pytest.raises(
        InputError, match="simclr needs a miracle, and image data cannot give a miracle; modalities"
    ) as e:
        make_plan("simclr", "digits")
    assert "none yet" in str(e.value)
