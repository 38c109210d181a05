"""The verdict of a contest: which one leads, and over which others that is sure."""

from pathlib import Path

import pytest

from anyview.evaluation.entries import Entry
from anyview.evaluation.paired import paired
from anyview.evaluation.standing import Standing, verdict

MAIN = ("linear", "accuracy")


def table(**methods: list[float]) -> Standing:
    """Of accuracies over seeds, the best method first."""
    figures = {name: dict(enumerate(values)) for name, values in methods.items()}
    entries = [Entry(name, {MAIN: found}, {}, {}, [], {}, []) for name, found in figures.items()]
    return Standing(Path(), {}, [MAIN], MAIN, entries, [], paired(figures), {}, 3)


def test_sure_when_looked_at_alone_and_open_are_told_apart() -> None:
    said = verdict(
        table(
            mae=[0.510, 0.511, 0.512],
            simclr=[0.490, 0.500, 0.495],  # its own interval is above zero, the corrected p is not below 0.05
            dino=[0.480, 0.510, 0.490],
            byol=[0.410, 0.411, 0.412],
        )
    )
    assert said == (
        "mae leads by all labels, linear: 51.1 ± 0.1 over 3 seeds. Surely above byol; "
        "above simclr (+1.6, 95 % +0.5 to +2.7) when looked at alone, but among all 6 pairs that may be chance; "
        "not surely above dino (+1.8, 95 % −2.0 to +5.5)."
    )


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ([0.6, 0.7, 0.8], [0.1, 0.2, 0.3], "Surely above b."),
        ([0.6, 0.6, 0.6], [0.5, 0.1, 0.6], "Not surely above b (+20.0, 95 % −45.7 to +85.7)."),
    ],
)
def test_a_single_pair_needs_no_correction(a: list[float], b: list[float], said: str) -> None:
    assert verdict(table(a=a, b=b)).endswith(said)


def test_methods_without_a_seed_in_common_are_not_compared() -> None:
    figures = {"a": {0: 0.9, 1: 0.8}, "b": {2: 0.7, 3: 0.6}}
    entries = [Entry(name, {MAIN: found}, {}, {}, [], {}, []) for name, found in figures.items()]
    said = verdict(Standing(Path(), {}, [MAIN], MAIN, entries, [], paired(figures), {}, 3))
    assert said.endswith("The others have no seed in common with it.")
