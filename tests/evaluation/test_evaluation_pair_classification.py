"""Same or different: average precision and a threshold, against scikit-learn and by trying them all."""

import pytest
import torch
from sklearn.metrics import average_precision_score

from anyview.errors import InputError
from anyview.evaluation.pairs import Sides
from anyview.evaluation.protocols import judge_pairs
from anyview.evaluation.protocols.base import PairCase
from anyview.evaluation.protocols.pair_classification import average_precision, best_threshold


def couples(seed: int, n: int = 80) -> tuple[Sides, torch.Tensor]:
    """Pairs of which half are near each other."""
    g = torch.Generator().manual_seed(seed)
    x, other = torch.randn(2, n, 5, generator=g)
    label = torch.arange(n) % 2
    return Sides(x, torch.where(label[:, None] == 1, x + 0.9 * other, other)), label


@pytest.mark.parametrize("levels", [5, 10_000])
@pytest.mark.parametrize("seed", range(6))
def test_the_threshold_is_the_best_of_all(seed: int, levels: int) -> None:
    g = torch.Generator().manual_seed(seed)
    score = torch.randint(levels, (40,), generator=g).float() / levels
    positive = score + 0.6 * torch.randn(40, generator=g) > 0.5
    tried = [-1.0, 2.0, *((score[:, None] + score[None]) / 2).flatten().tolist()]
    right = [float(((score >= t) == positive).double().mean()) for t in tried]
    found = best_threshold(score, positive)
    assert float(((score >= found) == positive).double().mean()) == max(right)


def test_all_or_none_may_be_the_same() -> None:
    score = torch.tensor([0.1, 0.5, 0.9])
    assert best_threshold(score, torch.ones(3, dtype=torch.bool)) < 0.1
    assert best_threshold(score, torch.zeros(3, dtype=torch.bool)) > 0.9


@pytest.mark.parametrize("levels", [1, 3, 10_000])
@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_scikit_learns_with_ties(seed: int, levels: int) -> None:
    g = torch.Generator().manual_seed(seed)
    score, positive = torch.randint(levels, (50,), generator=g).float(), torch.rand(50, generator=g) < 0.3
    assert average_precision(score, positive) == pytest.approx(average_precision_score(positive, score))
    assert average_precision(score, positive & False) != average_precision(score, positive & False)  # NaN


def test_figures_are_scikit_learns_and_the_threshold_is_not_from_test() -> None:
    (sides, label), known = couples(0), couples(1)
    label[5] = -1  # unknown
    rows = judge_pairs({"it": PairCase(sides, known=known)}, ["pair-classification"], label)
    found = {r.metric: r.figures["it"].mean for r in rows["pair-classification"]}
    keep, cosine = label >= 0, torch.nn.functional.cosine_similarity(sides.first, sides.second)
    wanted = average_precision_score(label[keep], cosine[keep])
    assert found["average precision"] == pytest.approx(wanted)
    there = torch.nn.functional.cosine_similarity(known[0].first, known[0].second)
    named = cosine >= best_threshold(there, known[1] == 1)
    assert found["accuracy"] == pytest.approx(float((named[keep] == label[keep].bool()).double().mean()))
    assert found["accuracy"] > 0.65
    fractions = judge_pairs(
        {"it": PairCase(sides)}, ["pair-classification"], label.float().where(keep, torch.nan)
    )
    assert [r.metric for r in fractions["pair-classification"]] == ["average precision"]  # there is no train
    assert fractions["pair-classification"][0].figures["it"].mean == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (None, "a class for each pair"),
        (torch.arange(80) % 3, "80 labelled pairs have 3"),
        (torch.ones(80).long(), "80 labelled pairs have 1"),
    ],
)
def test_labels_that_are_no_two_classes(label: torch.Tensor | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        judge_pairs({"it": PairCase(couples(0)[0])}, ["pair-classification"], label)
