"""kNN, linear and few-shot against scikit-learn, and in limiting cases."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from anyview.errors import InputError
from anyview.evaluation import neighbours
from anyview.evaluation.features import Labelled, standardiser
from anyview.evaluation.logistic import SoftmaxRegression
from anyview.evaluation.protocols import knn as knn_module
from anyview.evaluation.protocols.fewshot import DRAWS, FewShot, draw
from anyview.evaluation.protocols.knn import KNN
from anyview.evaluation.protocols.linear import PENALTIES, Linear


def blobs(samples: int = 300, dim: int = 12, classes: int = 4, apart: float = 1.0, seed: int = 0) -> Labelled:
    g = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, dim, generator=torch.Generator().manual_seed(99)) * apart
    label = torch.arange(samples) % classes
    return Labelled(centres[label] + torch.randn(samples, dim, generator=g), label)


def accuracy(predict, split: Labelled) -> float:
    return float((predict(split.x) == split.label).double().mean())


# ---------------------------------------------------------------- logistic regression


@pytest.mark.parametrize(
    ("samples", "dim", "l2"), [(300, 12, 1e-1), (300, 12, 1e-3), (40, 90, 1e-1), (40, 90, 1e-2)]
)
def test_softmax_regression_is_scikit_learns(samples, dim, l2):
    data = blobs(samples, dim)
    data.x[:, 0] *= 20  # badly scaled and off centre
    data.x[:, 1] += 5
    ours = SoftmaxRegression(data.x[None], data.label[None], 4).fit(l2)
    theirs = LogisticRegression(C=1 / (l2 * samples), tol=1e-10, max_iter=50_000)
    theirs.fit(data.x.double().numpy(), data.label.numpy())
    new = blobs(100, dim, seed=1).x
    p = (new @ ours.weight[0] + ours.bias[0]).softmax(1)
    np.testing.assert_allclose(p.numpy(), theirs.predict_proba(new.double().numpy()), atol=1e-3)
    np.testing.assert_allclose(ours.weight[0].T.numpy(), theirs.coef_, atol=2e-3)


def test_batched_problems_are_solved_as_if_alone():
    several = [blobs(60, 8, seed=s) for s in range(3)]
    x, label = torch.stack([s.x for s in several]), torch.stack([s.label for s in several])
    together = SoftmaxRegression(x, label, 4).fit(0.01)
    for i in range(3):
        alone = SoftmaxRegression(x[i : i + 1], label[i : i + 1], 4).fit(0.01)
        torch.testing.assert_close(together.weight[i], alone.weight[0], atol=2e-3, rtol=0)


def test_warm_start_ends_where_a_cold_start_does():
    data = blobs()
    warm = SoftmaxRegression(data.x[None], data.label[None], 4)
    for l2 in (1.0, 0.1):
        warm.fit(l2)
    cold = SoftmaxRegression(data.x[None], data.label[None], 4)
    torch.testing.assert_close(warm.fit(0.01).weight, cold.fit(0.01).weight, atol=2e-3, rtol=0)


def test_too_large_to_rotate_gives_the_same_minimum(monkeypatch):
    data = blobs()
    rotated = SoftmaxRegression(data.x[None], data.label[None], 4).fit(0.01)
    monkeypatch.setattr("anyview.evaluation.logistic.LARGEST_ROTATION", 4)
    plain = SoftmaxRegression(data.x[None], data.label[None], 4).fit(0.01)
    torch.testing.assert_close(rotated.weight, plain.weight, atol=2e-3, rtol=0)


def test_standardiser_is_scikit_learns_and_drops_constants():
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) * 3 + 1
    new = torch.randn(9, 4)
    expected = StandardScaler().fit(x.double().numpy()).transform(new.double().numpy())
    torch.testing.assert_close(
        standardiser(x)(new).double(), torch.from_numpy(expected), atol=1e-5, rtol=1e-5
    )
    x[:, 1] = 0.3
    x[:, 2] = 1e4 + 1e-3 * (torch.arange(50) % 2)  # varies by less than float32 can hold there
    assert (standardiser(x)(x)[:, 1:3] == 0).all()


# ---------------------------------------------------------------- linear


def test_linear_chooses_the_penalty_on_validation():
    train, held = blobs(60, 30, apart=0.3), blobs(400, 30, apart=0.3, seed=1)
    chosen = Linear(train, held)
    z, zh = standardiser(train.x)(train.x), standardiser(train.x)(held.x)
    right = []
    for l2 in PENALTIES:
        layer = SoftmaxRegression(z[None], train.label[None], 4).fit(l2)
        right.append(float((layer(zh)[0] == held.label).double().mean()))
    assert accuracy(chosen, held) >= max(right) - 0.005  # cold starts may differ on a borderline sample
    assert chosen.penalty != PENALTIES[-1]


def test_separable_is_perfect_and_random_labels_are_chance():
    easy = [blobs(200, 12, apart=20, seed=s) for s in range(3)]
    noise = [Labelled(s.x, torch.randint(4, (200,), generator=torch.Generator().manual_seed(i))) for i, s in
             enumerate([blobs(200, 12, apart=0, seed=s) for s in range(3)])]  # fmt: skip
    for fit in (Linear, KNN, lambda a, b: FewShot(a, b, 0, shots=5)):
        assert accuracy(fit(*easy[:2]), easy[2]) == 1
        assert 0.1 < accuracy(fit(*noise[:2]), noise[2]) < 0.4


@pytest.mark.parametrize("fit", [Linear, KNN, lambda a, b: FewShot(a, b, 0, shots=5)])
def test_constant_features_give_chance_not_nan(fit):
    flat = Labelled(torch.full((80, 5), 0.1), torch.arange(80) % 4)
    assert accuracy(fit(flat, flat), flat) == pytest.approx(0.25)


def test_labels_keep_their_numbers():
    data = blobs(120, apart=20)
    far = Labelled(data.x, data.label * 10 + 3)
    for fit in (Linear, KNN, lambda a, b: FewShot(a, b, 0, shots=1)):
        assert set(fit(far, far)(far.x).unique().tolist()) == {3, 13, 23, 33}


# ---------------------------------------------------------------- nearest neighbours


@pytest.mark.parametrize("k", [1, 5, 20])
def test_knn_votes_are_scikit_learns(k):
    train, new = blobs(300, apart=0.4), blobs(200, apart=0.4, seed=1)
    theirs = KNeighborsClassifier(
        k, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / knn_module.TEMPERATURE)
    ).fit(train.x.numpy(), train.label.numpy())
    ours = KNN(train, new)._votes(new.x, [k])[0]
    assert (ours.numpy() == theirs.predict(new.x.numpy())).mean() > 0.995  # rounding may turn a tie


def test_knn_one_search_serves_every_k_and_blocks_do_not_matter(monkeypatch):
    train, new = blobs(300, apart=0.4), blobs(100, apart=0.4, seed=1)
    model = KNN(train, new)
    together = model._votes(new.x, [1, 5, 20])
    assert torch.equal(together, torch.cat([model._votes(new.x, [k]) for k in (1, 5, 20)]))
    monkeypatch.setattr(neighbours, "BLOCK", 1000)  # three rows at a time
    assert torch.equal(model._votes(new.x, [1, 5, 20]), together)


def test_knn_chooses_k_on_validation_and_scales_it_to_the_bank():
    hard, held = blobs(400, apart=0.3), blobs(400, apart=0.3, seed=1)
    model = KNN(hard, held)
    scores = {k: float((model._votes(held.x, [k])[0] == held.label).double().mean()) for k in (1, 5, 10, 20)}
    assert model.k > 1
    assert accuracy(model, held) >= max(scores.values())
    tiny = blobs(8, apart=20)
    assert KNN(tiny, tiny).k == 1


def test_knn_ignores_length():
    train, new = blobs(200), blobs(50, seed=1)
    stretch = torch.rand(200, 1, generator=torch.Generator().manual_seed(0)) + 0.5
    a, b = KNN(train, new), KNN(Labelled(train.x * stretch, train.label), new)
    assert torch.equal(a(new.x), b(new.x * 7))


# ---------------------------------------------------------------- few-shot


def test_fewshot_is_scikit_learns_on_the_same_draw():
    train, new = blobs(200, apart=0.7), blobs(100, apart=0.7, seed=1)
    model = FewShot(train, new, seed=3, shots=5)
    scale = StandardScaler().fit(train.x.numpy())
    theirs = LogisticRegression(max_iter=10_000, tol=1e-10)
    for row, picked in zip(model(new.x), model.picked):
        theirs.fit(scale.transform(train.x[picked].numpy()), train.label[picked].numpy())
        agree = (theirs.predict(scale.transform(new.x.numpy())) == row.numpy()).mean()
        assert agree >= 0.99


def test_draws_solved_in_blocks_are_the_same(monkeypatch):
    train, new = blobs(200, apart=0.7), blobs(100, apart=0.7, seed=1)
    whole = FewShot(train, new, shots=5)(new.x)
    monkeypatch.setattr("anyview.evaluation.protocols.fewshot.BLOCK", 20 * 12 * 3)
    parts = FewShot(train, new, shots=5)
    assert len(parts.layers) == 7
    assert (parts(new.x) == whole).double().mean() > 0.99


def test_draws_are_balanced_distinct_and_seeded():
    label = torch.randint(3, (90,), generator=torch.Generator().manual_seed(0))
    picked = draw(label, [5, 5, 5], seed=0)
    assert picked.shape == (DRAWS, 15)
    assert torch.equal(label[picked], torch.arange(3).repeat_interleave(5).expand(DRAWS, 15))
    assert all(len(set(row.tolist())) == 15 for row in picked)
    assert len({tuple(sorted(row.tolist())) for row in picked}) == DRAWS
    assert torch.equal(picked, draw(label, [5, 5, 5], seed=0))
    assert not torch.equal(picked, draw(label, [5, 5, 5], seed=1))


def test_a_rare_class_gives_what_it_has_and_says_so():
    data = blobs(100, apart=20)
    keep = torch.cat([(data.label != 2).nonzero()[:, 0], (data.label == 2).nonzero()[:3, 0]])
    rare = Labelled(data.x[keep], data.label[keep])
    with pytest.warns(UserWarning, match=r"1 of 4 classes have fewer than 10 train samples \(fewest: 3\)"):
        model = FewShot(rare, data, shots=10)
    assert model.picked.shape[1] == 33
    assert accuracy(model, data) == 1


def test_a_class_without_any_sample_cannot_be_learned():
    data = blobs(100)
    without = Labelled(data.x[data.label != 2], data.label[data.label != 2])
    with pytest.raises(InputError, match="label 2 is in validation but not in train"):
        FewShot(without, data, shots=1)
