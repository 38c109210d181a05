"""Correlations between tasks against scipy and numpy, their intervals, and who is left out."""

import numpy as np
import pytest
import torch
from scipy import stats

from anyview.errors import InputError
from anyview.evaluation.transfer import STATISTICS, TransferStudy, logit_pearson

RNG = np.random.default_rng(0)
HOME = RNG.uniform(0.3, 0.9, 12)
FIGURES = {
    f"encoder {i}": {
        "home": float(a),
        "near": float(np.clip(a + 0.02 * RNG.normal(), 0, 1)),
        "far": float(RNG.uniform(0.2, 0.8)),
        "reversed": float(1 - a),
    }
    for i, a in enumerate(HOME)
}
STUDY = TransferStudy(FIGURES)


def columns(task: str) -> np.ndarray:
    return np.array([row[task] for row in FIGURES.values()])


@pytest.mark.parametrize(
    ("by", "theirs"),
    [
        ("spearman", lambda a, b: stats.spearmanr(a, b).statistic),
        ("kendall", lambda a, b: stats.kendalltau(a, b).statistic),
        ("pearson of logits", lambda a, b: np.corrcoef(np.log(a / (1 - a)), np.log(b / (1 - b)))[0, 1]),
    ],
)
def test_they_are_scipys_and_numpys(by: str, theirs) -> None:
    table = STUDY.table(by)
    for i, a in enumerate(STUDY.tasks):
        for j, b in enumerate(STUDY.tasks):
            assert float(table[i, j]) == pytest.approx(theirs(columns(a), columns(b)))
    torch.testing.assert_close(table, table.T)
    assert STUDY.correlation("home", "far", by).mean == pytest.approx(float(table[0, 2]))
    assert float(table[0, 3]) == pytest.approx(-1)
    torch.testing.assert_close(table.diagonal(), torch.ones(4, dtype=torch.float64))


def test_intervals_tell_what_is_known_from_what_is_not() -> None:
    found = STUDY.against("home")
    assert list(found) == ["near", "far", "reversed"]
    assert found["near"].low > 0.7
    assert found["far"].low < 0 < found["far"].high
    assert found["reversed"].high == pytest.approx(-1)
    for figure in found.values():
        assert figure.low <= figure.mean <= figure.high
    assert found["far"] == STUDY.correlation("home", "far")
    assert found["far"] != STUDY.correlation("home", "far", seed=1)


def test_more_encoders_narrow_the_interval() -> None:
    def width(n: int) -> float:
        x = RNG.normal(size=(n, 2)) @ np.array([[1.0, 0.6], [0, 0.8]])
        rows = {str(i): {"a": float(a), "b": float(b)} for i, (a, b) in enumerate(x)}
        figure = TransferStudy(rows).correlation("a", "b")
        return figure.high - figure.low

    assert width(100) < 0.6 * width(12)


def test_ranks_are_means_over_tasks_and_ties_share() -> None:
    found = TransferStudy({"a": {"x": 0.9, "y": 0.5}, "b": {"x": 0.8, "y": 0.5}, "c": {"x": 0.1, "y": 0.1}})
    assert found.mean_ranks() == {"a": 1.25, "b": 1.75, "c": 3.0}


@pytest.mark.parametrize("by", STATISTICS)
def test_a_task_on_which_all_are_alike_orders_nothing(by: str) -> None:
    rows = {name: row | {"near": 0.5} for name, row in FIGURES.items()}
    value = TransferStudy(rows).correlation("home", "near", by).mean
    assert value == 0.0 or value != value


def test_accuracies_of_all_or_nothing_have_logits() -> None:
    x = torch.tensor([0.0, 0.5, 1.0])
    assert logit_pearson(x, x) == pytest.approx(1)


def test_what_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="correlations over 2 encoders say nothing"):
        TransferStudy(dict(list(FIGURES.items())[:2]))
    with pytest.raises(
        InputError, match=r"encoder 3 and the first encoder do not have the same tasks \(far\)"
    ):
        TransferStudy(FIGURES | {"encoder 3": {k: v for k, v in FIGURES["encoder 3"].items() if k != "far"}})
