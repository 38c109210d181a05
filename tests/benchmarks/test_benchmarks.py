"""The benchmarks themselves: that they can be started, and that what they conclude follows from what they measured."""

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks import growth, run
from benchmarks.contest import apart


@pytest.mark.parametrize("name", [name for name, given in run.PARTS.items() if name != "roofline"])
def test_every_part_takes_what_the_whole_run_gives_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    part = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr(sys, "argv", [name, *run.PARTS[name]])
    options = vars(part._options())
    for option, value in zip(run.PARTS[name][::2], run.PARTS[name][1::2]):
        assert str(options[option.removeprefix("--")]) == value


@pytest.mark.parametrize("name", list(growth.PATHS))
def test_every_path_can_be_measured_at_its_smallest_size(name: str) -> None:
    found = growth.measured(name, growth.PATHS[name].sizes[0])
    assert found["seconds"] > 0
    assert found["mb"] >= 0


def test_the_exponent_is_that_between_the_largest_sizes() -> None:
    points = {str(n): {"seconds": 5 + n**2 if n < 100 else n**2, "mb": 3.0} for n in (10, 100, 1000)}
    assert growth.exponent(points, "seconds") == pytest.approx(2)
    assert growth.exponent(points, "mb") == 0


def test_a_contestant_that_fails_ends_the_benchmark_with_its_words(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="contestant nothing failed"):
        apart("contestant", "nothing")
    assert "JSONDecodeError" in capfd.readouterr().err


def test_a_point_that_fails_says_which() -> None:
    with pytest.raises(SystemExit, match="error: nothing at 3 failed: 'nothing'"):
        growth.point("nothing", 3)


def test_a_point_is_measured_in_a_process_of_its_own() -> None:
    assert growth.point("nt-xent", 64)["seconds"] > 0
