"""The verdict says what is so, in either direction."""

import pytest

from anyview.errors import InputError
from anyview.evaluation.result import Figure, Result
from anyview.evaluation.verdict import learned, verdict

HEALTHY = {"verdict": "No collapse (effective rank 41 of 64).", "collapsed": False}


def row(protocol: str, std: float = 1.0, **percent: float) -> Result:
    n = 20 if protocol.startswith("fewshot") else 200
    figures = {name: Figure(value / 100, std / 100, n) for name, value in percent.items()}
    return Result(protocol, "accuracy", "test", figures)


DIGITS = [
    row("fewshot-1", 5, pretrained=81.9, untrained=57.7, raw=66.0),
    row("linear", pretrained=97.5, untrained=93.1, raw=95.2),
    row("knn", 0.7, pretrained=97.9, untrained=90.3, raw=98.2),
]


def test_the_example_of_the_interface_document():
    assert learned(DIGITS)
    assert verdict(DIGITS, HEALTHY) == (
        "it learned: +16 points over raw pixels with one label a class. "
        "No collapse (effective rank 41 of 64)."
    )


def test_the_gain_is_over_the_better_baseline():
    rows = [row("knn", pretrained=80, untrained=70, raw=50)]
    assert verdict(rows) == "it learned: +10 points over the untrained encoder with nearest neighbours."


def test_it_learned_but_loses_somewhere():
    rows = [*DIGITS[:2], row("fewshot-5", 1, pretrained=90, untrained=70, raw=80),
            row("knn", pretrained=90.3, untrained=80, raw=98.2)]  # fmt: skip
    assert learned(rows)
    assert verdict(rows, raw_name="raw signals") == (
        "it learned: +16 points over raw signals with one label a class. "
        "But -7.9 points against raw signals with nearest neighbours."
    )


def test_raw_features_win():
    rows = [
        row("linear", pretrained=80, untrained=70, raw=90),
        row("knn", pretrained=80, untrained=79, raw=85),
    ]
    assert not learned(rows)
    assert verdict(rows) == (
        "it did not learn enough: -10 points against raw pixels with a linear layer on all labels; "
        "+10 points over the untrained encoder with a linear layer on all labels."
    )


def test_the_untrained_encoder_wins_and_it_collapsed():
    rows = [row("knn", pretrained=30, untrained=50, raw=20)]
    text = verdict(rows, {"verdict": "Collapsed: effective rank 1.2 of 64, deviation 0.02 of 1."})
    assert not learned(rows)
    assert text.startswith("it did not learn: ")
    assert "-20 points against the untrained encoder" in text
    assert text.endswith("Collapsed: effective rank 1.2 of 64, deviation 0.02 of 1.")


def test_a_difference_within_the_spread_is_no_difference():
    rows = [row("knn", 1.0, pretrained=91, untrained=90, raw=89.5)]
    assert not learned(rows)
    assert "no clear difference from raw pixels; no clear difference from the untrained encoder" in verdict(
        rows
    )
    assert learned([row("knn", 0.1, pretrained=91, untrained=90, raw=89.5)])


def test_spread_of_draws_is_not_the_error_of_their_mean():
    """5 points between draws leave 1.1 on a mean over 20; 5 points of sampling error stay 5."""
    assert learned([row("fewshot-1", 5, pretrained=50, untrained=45, raw=45)])
    assert not learned([row("linear", 5, pretrained=50, untrained=45, raw=45)])


def test_one_baseline_is_enough_and_none_is_too_few():
    assert learned([row("knn", pretrained=80, raw=70)])
    with pytest.raises(InputError, match="a verdict needs figures"):
        verdict([row("knn", pretrained=80, supervised=90)])


def plain(protocol: str, metric: str, std: float = 0.01, **means: float) -> Result:
    return Result(protocol, metric, "test", {name: Figure(mean, std, 200) for name, mean in means.items()})


def test_less_error_is_a_gain_in_the_metrics_own_unit():
    rows = [plain("regression", "rmse", pretrained=0.7, untrained=0.9, raw=0.82)]
    assert learned(rows)
    assert verdict(rows, raw_name="fingerprints") == (
        "it learned: RMSE better by 0.12 over fingerprints with ridge regression."
    )
    rows = [plain("regression", "rmse", pretrained=0.7, untrained=0.9, raw=0.5)]
    assert not learned(rows)
    assert "RMSE worse by 0.2 against raw pixels with ridge regression" in verdict(rows)
    assert "RMSE better by 0.2 over the untrained encoder" in verdict(rows)


def test_shares_go_before_other_units():
    rows = [
        plain("regression", "r2", pretrained=0.7, untrained=0.5, raw=0.6),
        plain("regression", "rmse", std=0.1, pretrained=10.0, untrained=20.0, raw=15.0),
    ]
    assert verdict(rows) == "it learned: +10 points over raw pixels in R² with ridge regression."


def test_pairs_are_put_into_words():
    rows = [plain("sts", "spearman", pretrained=0.7, untrained=0.5, raw=0.6)]
    assert (
        verdict(rows, raw_name="TF-IDF")
        == "it learned: Spearman better by 0.1 over TF-IDF in similarity of pairs."
    )
    rows = [plain("retrieval-image-text", "recall@1", pretrained=0.3, untrained=0.02)]
    assert (
        verdict(rows) == "it learned: +28 points over the untrained encoder in recall@1 from image to text."
    )
