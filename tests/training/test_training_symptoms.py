"""Symptoms: named at the figures that runs broken on purpose ended with, and at no others."""

import math

import pytest
import torch

from anyview.objectives.spectrum import participation_ratio
from anyview.training.symptoms import Losses, Symptoms


def figures(rank: float, std: float, dims: float, size: float) -> dict[str, float]:
    return {"rank_z": rank, "std_z": std, "dims_z": dims, "size_z": size}


def losses(*values: float) -> Losses:
    found = Losses()
    for value in values:
        found.note(value)
    return found


#: an untrained head: its mean dominates
BEFORE = figures(11.0, 0.26, 1.17, 0.011)
BROKEN = {
    "one direction": (figures(17.6, 0.96, 1.035, 0.75), [22.1, 14.7, 12.9], "dimensional collapse"),
    "temperature too low": (figures(24.6, 0.15, 1.57, 0.6), [50.6, 4.3, 3.9], "temperature too low"),
    "labels of one class": (
        figures(32.6, 0.17, 2.19, 0.45),
        [6.1, 4.85, 4.85],
        "labels that are all the same",
    ),
    "learning rate too high": (figures(7.1, 0.9, 2.54, 131.0), [4.6, 4.4, 4.2], "learning rate too high"),
    "constant output": (
        figures(67.4, 0.28, 30.5, 0.021),
        [5.6] + [0.02] * 20,
        "the same for all satisfies it",
    ),
}
WHOLE = {
    "simclr": (figures(44.5, 0.97, 5.7, 0.71), [4.6, 4.2, 3.9]),
    "vicreg": (figures(70.5, 0.80, 7.2, 0.32), [23.1, 20.6, 19.9]),
    "supcon": (figures(31.3, 0.28, 2.9, 0.62), [5.9, 4.8, 4.7]),
    "a contrast that is solved": (figures(60.0, 0.98, 20.0, 0.7), [4.6] + [0.01] * 20),
    "clusters": (figures(5.0, 0.95, 4.0, 0.7), [4.8, 4.5, 4.4]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_broken_runs_end_with_is_named_once(name: str) -> None:
    last, lost, word = BROKEN[name]
    said = Symptoms(couples=True, losses=losses(*lost)).found(BEFORE, last)
    assert len(said) == 1
    assert word in said[0]


@pytest.mark.parametrize("name", WHOLE)
def test_of_whole_runs_nothing_is_said(name: str) -> None:
    last, lost = WHOLE[name]
    assert Symptoms(couples=True, losses=losses(*lost)).found(BEFORE, last) == []


def test_a_whole_and_a_broken_byol() -> None:
    """Its predictions may lie in one direction, since it compares no samples; but they must not draw together."""
    whole = Symptoms().found(figures(2.1, 0.044, 1.275, 0.002), figures(6.1, 0.289, 1.21, 0.794))
    broken = Symptoms().found(figures(5.7, 0.188, 1.136, 0.012), figures(8.3, 0.102, 1.046, 0.56))
    assert whole == []
    assert len(broken) == 1
    assert "missing predictor" in broken[0]


def test_nothing_is_said_before_training_and_where_no_vectors_are_compared() -> None:
    assert Symptoms(couples=True).found(BEFORE, BEFORE) == []
    assert Symptoms(couples=True).found({}, {}) == []
    assert Symptoms(couples=True).found({"rank": 17.0}, {"rank": 2.0}) == []


@pytest.mark.parametrize(
    ("values", "spent"),
    [
        ([5.6] + [0.02] * 20, True),
        ([0.6] + [0.06] * 20, False),  # a teacher that follows: a tenth is left
        ([-0.1] + [-0.9] * 20, False),  # cosines: the least is -1
        ([5.6, 0.0], False),  # one step may be luck
        ([], False),
    ],
)
def test_a_loss_at_nothing(values: list[float], spent: bool) -> None:
    said = Symptoms(losses=losses(*values)).found(BEFORE, figures(20.0, 0.4, 9.0, 0.5))
    assert any("the loss fell to" in text for text in said) is spent


def test_a_resumed_run_knows_its_first_loss() -> None:
    before, after = Symptoms(losses=losses(5.0, 1.0, 0.5)), Symptoms()
    after.load_state(before.state())
    assert after.losses == before.losses
    assert after.losses.left < 0.7
    assert math.isnan(Losses().left)


def test_dimensions_that_are_copies_of_one_are_one_direction() -> None:
    copies = torch.randn(200, 1, generator=torch.Generator().manual_seed(0)).expand(200, 64) + 3
    last = figures(2.0, 0.9, float(participation_ratio(copies)), 1.0)
    assert "one direction" in Symptoms(couples=True).found(BEFORE, last)[0]
