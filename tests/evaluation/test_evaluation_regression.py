"""Ridge regression and ROC-AUC against scikit-learn, in limiting cases, and with labels that cannot work."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as TheirRidge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from anyview.errors import InputError
from anyview.evaluation.features import Aimed, Features, Labelled, Split
from anyview.evaluation.protocols import judge
from anyview.evaluation.protocols.auc import Ranking
from anyview.evaluation.protocols.linear import Linear
from anyview.evaluation.protocols.regression import PENALTIES, Ridge, ridge_path


def line(samples: int, dim: int = 10, noise: float = 0.5, seed: int = 0) -> Aimed:
    g = torch.Generator().manual_seed(seed)
    slope = torch.randn(dim, generator=torch.Generator().manual_seed(99))
    x = torch.randn(samples, dim, generator=g)
    return Aimed(x * 7 + 3, x @ slope * 20 + 100 + noise * 20 * torch.randn(samples, generator=g))


def features(*parts) -> Features:
    return Features(*(Split(part.x, part.label) for part in parts))


@pytest.mark.parametrize(("samples", "dim"), [(200, 10), (30, 80), (50, 50)])
@pytest.mark.parametrize("l2", [10.0, 1e-1, 1e-3])
def test_ridge_is_scikit_learns_over_features_and_over_samples(samples, dim, l2):
    data = line(samples, dim)
    x, y = (v - v.mean(0) for v in (data.x.double(), data.label.double()))
    (ours,) = ridge_path(x.float(), y, (l2,))
    theirs = TheirRidge(alpha=l2 * samples, fit_intercept=False).fit(x.float().double().numpy(), y.numpy())
    np.testing.assert_allclose(ours.numpy(), theirs.coef_, rtol=1e-3, atol=1e-4)


def test_ridge_chooses_on_validation_and_answers_in_the_unit_of_the_target():
    train, held, test = line(60, 40, 1.0), line(300, 40, 1.0, seed=1), line(400, 40, 1.0, seed=2)
    model = Ridge(train, held)
    scale = StandardScaler().fit(train.x.numpy())
    errors, scores = [], []
    for l2 in PENALTIES:
        theirs = TheirRidge(alpha=l2 * 60).fit(scale.transform(train.x.numpy()), train.label.numpy())
        errors.append(
            float(((theirs.predict(scale.transform(held.x.numpy())) - held.label.numpy()) ** 2).mean())
        )
        scores.append(r2_score(test.label, theirs.predict(scale.transform(test.x.numpy()))))
    best = int(np.argmin(errors))
    assert model.penalty == PENALTIES[best]
    assert 0 < best < len(PENALTIES) - 1
    assert r2_score(test.label, model(test.x)) == pytest.approx(scores[best], abs=1e-4)


def test_regression_gives_two_rows_with_their_spread():
    parts = line(200), line(60, seed=1), line(200, seed=2)
    r2, rmse = judge({"raw": features(*parts)}, ["regression"])
    assert [(r.protocol, r.metric) for r in (r2, rmse)] == [("regression", "r2"), ("regression", "rmse")]
    assert rmse.figures["raw"].mean == pytest.approx(0.5 * 20, rel=0.2)  # the noise
    assert rmse.figures["raw"].std == pytest.approx(10 / (2 * 200) ** 0.5, rel=0.5)
    assert 0.8 < r2.figures["raw"].mean < 1
    assert r2.figures["raw"].std > 0


def test_noise_explains_nothing_and_a_line_everything():
    noise = [Aimed(torch.randn(200, 5), torch.randn(200)) for _ in range(3)]
    exact = [line(200, noise=0.0, seed=s) for s in range(3)]
    worthless, whole = (
        judge({"raw": features(*p)}, ["regression"])[0].figures["raw"].mean for p in (noise, exact)
    )
    assert -0.1 < worthless < 0.05
    assert whole > 0.9999


def test_constant_features_predict_the_mean_of_train():
    flat = Aimed(torch.full((40, 3), 0.1), torch.arange(40.0))
    assert (Ridge(flat, flat)(flat.x) - 19.5).abs().max() < 1e-4


def test_samples_without_target_are_left_out():
    train, held, test = line(100), line(50, seed=1), line(50, seed=2)
    holes = train.label.clone()
    holes[40:] = torch.nan
    part = Features(Split(train.x, holes), *list(features(train, held, test).splits().values())[1:])
    cut = features(Aimed(train.x[:40], train.label[:40]), held, test)
    assert judge({"raw": part}, ["regression"]) == judge({"raw": cut}, ["regression"])


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (torch.arange(50), r"regression needs targets that are fractions; the test labels are classes"),
        (torch.full((50,), torch.nan), "none of the 50 test samples has one"),
        (torch.full((50,), 2.5), "targets that differ; all 50 test targets are 2.5"),
        (None, "the test split has none"),
    ],
    ids=["classes", "unknown", "constant", "missing"],
)
def test_targets_that_cannot_work(label, message):
    parts = features(line(50), line(50, seed=1), line(50, seed=2))
    with pytest.raises(InputError, match=message):
        judge({"raw": Features(parts.train, parts.validation, Split(parts.test.x, label))}, ["regression"])


# ---------------------------------------------------------------- ROC-AUC


def two(samples: int, seed: int = 0, rare: float = 0.2, apart: float = 1.0, classes: int = 2) -> Labelled:
    g = torch.Generator().manual_seed(seed)
    label = (
        (torch.rand(samples, generator=g) < rare).long() if classes == 2 else torch.arange(samples) % classes
    )
    centres = torch.randn(classes, 8, generator=torch.Generator().manual_seed(5)) * apart
    return Labelled(centres[label] * 0.4 + torch.randn(samples, 8, generator=g), label * 3 + 1)


@pytest.mark.parametrize("classes", [2, 4])
def test_auc_is_that_of_scikit_learns_classifier(classes):
    train, held, test = (two(400, seed, classes=classes) for seed in range(3))
    (result,) = judge({"raw": features(train, held, test)}, ["auc"])
    penalty = Ranking(train, held).penalty
    scale = StandardScaler().fit(train.x.numpy())
    theirs = LogisticRegression(C=1 / (penalty * 400), tol=1e-10, max_iter=10_000)
    theirs.fit(scale.transform(train.x.numpy()), train.label.numpy())
    p = theirs.predict_proba(scale.transform(test.x.numpy()))
    expected = roc_auc_score(test.label, p[:, 1] if classes == 2 else p, multi_class="ovr")
    # two classes: half its penalty acts on the softmax's difference, which hardly turns the order
    assert result.figures["raw"].mean == pytest.approx(expected, abs=5e-3)
    assert (result.protocol, result.metric) == ("auc", "auc")
    assert 0.005 < result.figures["raw"].std < 0.06


def test_auc_tells_a_rare_class_where_accuracy_does_not():
    train, held, test = (two(1000, seed, rare=0.05) for seed in range(3))
    accuracy, auc = (
        r.figures["raw"].mean for r in judge({"raw": features(train, held, test)}, ["linear", "auc"])
    )
    assert accuracy < 0.97  # 0.95 is what naming the frequent class gives
    assert auc > 0.7
    flat = Features(*(Split(torch.ones(100, 2), torch.arange(100) % 2) for _ in range(3)))
    assert judge({"raw": flat}, ["auc"])[0].figures["raw"].mean == 0.5


def test_auc_of_one_class_in_test_is_no_figure():
    train, held = two(100), two(100, 1)
    test = Labelled(held.x, torch.full((100,), 1))
    with pytest.raises(InputError, match="auc needs test samples of two classes; all 100 are of one"):
        judge({"raw": features(train, held, test)}, ["auc"])


def test_a_large_problem_in_float32_is_the_small_one_in_float64(monkeypatch):
    train, held, new = (two(500, seed, classes=4) for seed in range(3))
    small = Linear(train, held)
    monkeypatch.setattr("anyview.evaluation.logistic.SMALL", 0)
    monkeypatch.setattr("anyview.evaluation.logistic.BLOCK", 1000)  # 125 samples at a time
    large = Linear(train, held)
    assert large.penalty == small.penalty
    torch.testing.assert_close(large.layer.weight, small.layer.weight, atol=2e-3, rtol=0)
    assert (large(new.x) == small(new.x)).double().mean() > 0.99
