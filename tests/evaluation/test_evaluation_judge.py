"""Protocols as a whole: honest, repeatable, clear about what cannot be judged."""

import json

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_digits

from anyview.errors import InputError
from anyview.evaluation.features import Features, Split
from anyview.evaluation.protocols import judge
from anyview.evaluation.result import RESAMPLES, Figure, Result, with_supervised


@pytest.fixture(scope="module")
def digits() -> Features:
    x, y = load_digits(return_X_y=True)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, y = torch.from_numpy(x).float()[order], torch.from_numpy(y).long()[order]
    cut = [slice(0, 1150), slice(1150, 1437), slice(1437, None)]
    return Features(*(Split(x[c], y[c]) for c in cut))


def small(features: Features, **test) -> Features:
    """A few hundred of them; ``test`` replaces fields of the test split."""
    train, validation, held = (Split(s.x[:n], s.label[:n]) for s, n in
                               zip(features.splits().values(), (300, 100, 100)))  # fmt: skip
    return Features(train, validation, Split(**{"x": held.x, "label": held.label, **test}))


def test_raw_digits_reach_what_is_known_of_them(digits):
    results = {r.protocol: r.figures["raw"] for r in judge({"raw": digits})}
    assert list(results) == ["fewshot-1", "fewshot-5", "fewshot-10", "linear", "knn"]
    assert results["linear"].mean > 0.93
    assert results["knn"].mean > 0.95
    assert 0.5 < results["fewshot-1"].mean < results["fewshot-5"].mean < results["fewshot-10"].mean < 0.95
    assert results["fewshot-1"].n == 20
    assert results["fewshot-1"].std > results["fewshot-10"].std


def test_order_of_representations_and_protocols_is_kept(digits):
    rows = {"pretrained": small(digits), "raw": small(digits), "mine": small(digits)}
    results = judge(rows, ["knn", "linear", "knn"])
    assert [r.protocol for r in results] == ["knn", "linear"]
    assert all(list(r.figures) == ["pretrained", "raw", "mine"] for r in results)
    # the same draws and resamples for every representation: equal features, equal figures
    assert all(len(set(r.figures.values())) == 1 for r in results)


def test_seed_repeats_and_matters(digits):
    rows = {"raw": small(digits)}
    first = judge(rows, ["fewshot", "knn"], seed=1)
    assert first == judge(rows, ["fewshot", "knn"], seed=1)
    other = judge(rows, ["fewshot", "knn"], seed=2)
    assert first[0] != other[0]
    assert first[-1].figures["raw"].mean == other[-1].figures["raw"].mean  # only the resamples differ


def test_samples_without_label_are_left_out(digits):
    whole = small(digits)
    holes = whole.train.label.clone()
    holes[100:] = -1
    part = Features(Split(whole.train.x, holes), whole.validation, whole.test)
    cut = Features(Split(whole.train.x[:100], holes[:100]), whole.validation, whole.test)
    assert judge({"raw": part}, ["knn", "linear"]) == judge({"raw": cut}, ["knn", "linear"])


def test_a_class_that_train_lacks_counts_as_wrong_and_is_said(digits):
    whole = small(digits)
    label = whole.test.label.clone()
    label[:50] = 77
    with pytest.warns(UserWarning, match="50 samples of validation and test are of classes that train"):
        (result,) = judge({"raw": small(digits, label=label)}, ["knn"])
    assert result.figures["raw"].mean <= 0.5


def test_half_precision_and_small_integers_are_taken(digits):
    whole = small(digits)
    half = Features(*(Split(s.x.half(), s.label.to(torch.uint8)) for s in whole.splits().values()))
    assert judge({"raw": half}, ["knn"]) == judge({"raw": whole}, ["knn"])


# ---------------------------------------------------------------- what cannot be judged


def test_unknown_protocol_names_the_nearest():
    with pytest.raises(InputError, match='no protocol "linaer"; did you mean "linear"'):
        judge({}, ["linaer"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": None}, "evaluate needs labels; the test split has none. Name them with --label"),
        ({"label": torch.full((100,), -1)}, "none of the 100 test samples has one"),
        ({"label": torch.rand(100)}, "evaluate needs classes; the test labels are torch.float32"),
        ({"label": torch.zeros(99).long()}, '"raw" has 100 test rows for 99 labels'),
        ({"x": torch.zeros(0, 64), "label": torch.zeros(0).long()}, "none of the 0 test samples"),
    ],
    ids=["missing", "all unlabelled", "not classes", "misaligned", "empty"],
)
def test_labels_that_cannot_work(digits, change, message):
    with pytest.raises(InputError, match=message):
        judge({"raw": small(digits, **change)}, ["knn"])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_embeddings_that_are_not_finite_are_located(digits, value):
    x = small(digits).test.x.clone()
    x[[17, 40], 3] = value
    with pytest.raises(
        InputError, match=r'"pretrained" is not finite .* in 2 of 100 test rows, first row 17'
    ):
        judge({"raw": small(digits), "pretrained": small(digits, x=x)}, ["knn"])


def test_one_class_is_no_task(digits):
    whole = small(digits)
    same = Features(Split(whole.train.x, torch.full((300,), 4)), whole.validation, whole.test)
    with pytest.raises(
        InputError, match="two classes or more; all 300 labelled train samples are of class 4"
    ):
        judge({"raw": same}, ["knn"])


# ---------------------------------------------------------------- figures


@pytest.mark.parametrize(("samples", "share"), [(100, 0.9), (1000, 0.5), (4000, 0.97)])
def test_spread_of_one_fit_is_the_sampling_error_of_the_test_split(samples, share):
    figure = Figure.bootstrap(torch.arange(samples) < samples * share)
    assert figure.mean == pytest.approx(share)
    assert figure.std == pytest.approx((share * (1 - share) / samples) ** 0.5, rel=0.2)
    assert figure.n == RESAMPLES


def test_spread_over_draws_is_their_deviation():
    figure = Figure.over(torch.tensor([0.2, 0.4, 0.6]))
    assert (figure.mean, figure.std, figure.n) == (pytest.approx(0.4), pytest.approx(0.2), 3)
    assert Figure.over(torch.tensor([0.2])).std == 0  # never NaN: it goes into JSON


def test_intervals_are_students_of_the_mean_and_percentiles_of_the_resamples():
    draws = torch.randn(12, generator=torch.Generator().manual_seed(0)).double()
    figure = Figure.over(draws)
    wanted = stats.t.interval(0.95, 11, draws.mean(), stats.sem(draws))
    assert (figure.low, figure.high) == pytest.approx(wanted)
    right = torch.arange(400) < 360
    figure = Figure.bootstrap(right)
    theirs = stats.bootstrap(
        [right.double().numpy()], np.mean, method="percentile", rng=0
    ).confidence_interval
    assert (figure.low, figure.high) == pytest.approx(theirs, abs=0.006)
    assert Figure.bootstrap(torch.ones(9)) == Figure(1.0, 0.0, RESAMPLES, 1.0, 1.0)
    row = Result("knn", "accuracy", "test", {"raw": figure, "one": Figure.over(torch.tensor([0.2]))}).record()
    assert list(row["figures"]["raw"]) == ["mean", "std", "n", "low", "high"]
    assert list(row["figures"]["one"]) == ["mean", "std", "n"]  # of one value there is no interval
    assert Result.from_record(row).record() == row


def test_the_interval_holds_the_truth_as_often_as_it_says():
    share, g = 0.8, torch.Generator().manual_seed(0)
    figures = [Figure.bootstrap(torch.rand(300, generator=g) < share, seed) for seed in range(60)]
    assert sum(f.low <= share <= f.high for f in figures) >= 53  # 57 are expected; of ± std it would be 41


def test_json_round_trip_is_exactly_the_published_form():
    result = Result(
        "knn", "accuracy", "test", {"pretrained": Figure(0.9, 0.01, 200), "raw": Figure(0.8, 0.02, 200)}
    )
    text = json.dumps(result.record())
    assert json.loads(text) == {
        "protocol": "knn",
        "metric": "accuracy",
        "split": "test",
        "figures": {
            "pretrained": {"mean": 0.9, "std": 0.01, "n": 200},
            "raw": {"mean": 0.8, "std": 0.02, "n": 200},
        },
    }
    assert Result.from_record({**json.loads(text), "later": 1}) == result


def test_supervised_joins_the_linear_row_only():
    one = {"pretrained": Figure(0.9, 0.01, 200)}
    before = [Result(p, "accuracy", "test", dict(one)) for p in ("fewshot-1", "linear", "knn")]
    after = with_supervised(before, {"accuracy": Figure.bootstrap(torch.arange(50) < 40)})
    assert [list(r.figures) for r in after] == [["pretrained"], ["pretrained", "supervised"], ["pretrained"]]
    assert after[1].figures["supervised"].mean == pytest.approx(0.8)
    assert list(before[1].figures) == ["pretrained"]
