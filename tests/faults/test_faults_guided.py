"""Guided fuzzing: every kind of file has its family and its seeds, and what it finds is saved and told."""

from pathlib import Path

import pytest

from faults import guided
from faults.fuzz import GOOD
from faults.seeds import LARGEST, pieces


def test_every_kind_of_file_is_in_one_family() -> None:
    names = [name for family in guided.FAMILIES.values() for name in family]
    assert sorted(names) == sorted(GOOD)


def test_pieces_of_real_files_are_small_and_read(shared_data: Path, tmp_path: Path) -> None:
    from faults.fuzz import attempt

    found = list(pieces(Path(shared_data)))
    assert {name for name, _ in found} >= {
        "a.png",
        "a.wav",
        "t.csv",
        "e.csv",
        "s.csv",
        "m.csv",
        "w.txt",
        "g.npz",
    }
    assert all(0 < len(content) <= LARGEST for _, content in found)
    outcomes = [attempt(name, content, tmp_path) for name, content in found]
    assert (
        outcomes.count("read") >= len(found) - 6
    )  # images of one format are tried under the name of another
    assert attempt("w.txt", b"\xff", tmp_path) == "refused"


def test_the_last_figures_are_taken() -> None:
    text = "#12\tNEW cov: 7\n#40\tpulse cov: 9\n"
    assert guided._last(r"(?:units:\s*|^#)(\d+)", text) == 40
    assert guided._last(r"(?:units:\s*|^#)(\d+)", text + "stat::units: 55\n") == 55
    assert guided._last(r"cov: (\d+)", text) == 9
    assert guided._last(r"cov: (\d+)", "") == 0


def test_a_place_is_told_by_what_went_wrong_and_where() -> None:
    from anyview.data import open as open_data

    with pytest.raises(ValueError) as one:  # noqa: PT011 (InputError is one)
        open_data("there/is/nothing")
    assert guided._place(one.value).startswith("InputError at found.py:")
