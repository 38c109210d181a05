"""Few-shot episodes against scikit-learn, by chance, and their interval."""

import math

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from anyview.errors import InputError
from anyview.evaluation import episodes as module
from anyview.evaluation.episodes import Episodes, episodes
from anyview.evaluation.logistic import SoftmaxRegression


def clusters(spread: float, classes: int = 7, each: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    label = torch.arange(classes).repeat(each)
    return torch.eye(classes, 12)[label] + spread * torch.randn(len(label), 12), label


def test_random_features_are_right_as_often_as_chance():
    x, label = torch.randn(400, 8), torch.arange(400) % 5
    found = episodes(x, label, shots=1, count=400)
    assert abs(found.mean - 0.2) < 2 * found.interval + 0.01


def test_classes_that_lie_apart_are_told():
    x, label = clusters(0.05)
    assert episodes(x, label, shots=1, count=50).mean == 1.0
    x, label = clusters(0.5)
    one, five = (episodes(x, label, shots=shots, count=200).mean for shots in (1, 5))
    assert 0.3 < one < five < 1


@pytest.mark.parametrize("shots", [1, 3])
def test_it_is_scikit_learns_logistic_regression(shots, monkeypatch):
    x, label = clusters(0.5)
    seen = {}

    class Spy(SoftmaxRegression):
        def __init__(self, x, label, classes):
            seen.update(x=x, label=label)
            super().__init__(x, label, classes)

        def fit(self, l2):
            seen["layer"] = super().fit(l2)
            return seen["layer"]

    monkeypatch.setattr(module, "SoftmaxRegression", Spy)
    episodes(x, label, ways=3, shots=shots, queries=4, count=6)
    assert seen["x"].shape == (6, 3 * shots, 12)
    torch.testing.assert_close(seen["x"].norm(dim=2), torch.ones(6, 3 * shots, dtype=torch.float64))
    for i in range(6):
        known = LogisticRegression(tol=1e-8, max_iter=1000).fit(seen["x"][i], seen["label"][i])
        mine = seen["layer"].weight[i].T - seen["layer"].weight[i].T.mean(0)
        torch.testing.assert_close(mine.double(), torch.from_numpy(known.coef_), atol=1e-4, rtol=1e-3)


def test_the_interval_is_that_of_the_mean_and_draws_repeat():
    accuracy = torch.rand(50)
    expected = 1.96 * accuracy.std().item() / math.sqrt(50)
    assert Episodes(accuracy).interval == pytest.approx(expected)
    x, label = clusters(0.5)
    one, two, other = (episodes(x, label, count=20, seed=seed).accuracy for seed in (0, 0, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_shots_and_queries_never_meet_and_small_classes_are_drawn_from_rightly():
    x = torch.arange(9.0)[:, None] * torch.ones(9, 3) + torch.eye(9, 3)
    label = torch.tensor([0] * 4 + [1] * 5)
    assert len(episodes(x, label, ways=2, shots=2, queries=2, count=3).accuracy) == 3
    with pytest.raises(InputError, match="smallest of 4"):
        episodes(x, label, ways=2, shots=2, queries=3, count=3)
    with pytest.raises(InputError, match="2 classes"):
        episodes(x, label, ways=3, shots=1, queries=1)
    with pytest.raises(InputError, match="two ways"):
        episodes(x, label, ways=1)


def test_prototypes_are_scikit_learns_nearest_centroids(monkeypatch):
    x, label = clusters(0.8)
    seen = []
    cdist = torch.cdist
    monkeypatch.setattr(module.torch, "cdist", lambda a, b: seen.append((a, b)) or cdist(a, b))
    found = episodes(x, label, ways=3, shots=4, queries=5, count=6, by="prototypes")
    ((queries, means),) = seen
    answer = torch.arange(3).repeat_interleave(5)
    theirs = [NearestCentroid().fit(m, [0, 1, 2]).predict(q) for q, m in zip(queries, means)]
    right = [float((torch.tensor(p) == answer).double().mean()) for p in theirs]
    assert found.accuracy.tolist() == pytest.approx(right)
    rows = {tuple(row) for row in x.double().tolist()}  # embeddings as they are, of no other length
    assert {tuple(q) for q in queries.flatten(0, 1).tolist()} <= rows


def test_the_interval_of_prototypes_shrinks_with_the_root_of_episodes():
    x, label = clusters(0.8)
    few, many = (episodes(x, label, count=n, by="prototypes").interval for n in (100, 1600))
    assert few / many == pytest.approx(4, rel=0.3)
    with pytest.raises(InputError, match='no classifier "prototype"; did you mean "prototypes"'):
        episodes(x, label, by="prototype")
