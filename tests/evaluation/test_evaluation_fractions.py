"""Label fractions: stratified draws, and the fit of scikit-learn on them."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from anyview.errors import InputError
from anyview.evaluation.features import Features, Labelled, Split
from anyview.evaluation.protocols import judge
from anyview.evaluation.protocols.fractions import DRAWS, Fraction


def drawn(samples: int = 400, seed: int = 0) -> Labelled:
    """Three classes, of which one has a tenth of the samples."""
    g = torch.Generator().manual_seed(seed)
    label = torch.tensor([0] * 6 + [1] * 3 + [2]).repeat(samples // 10)
    centres = torch.randn(3, 6, generator=torch.Generator().manual_seed(9))
    return Labelled(centres[label] + torch.randn(samples, 6, generator=g), label)


def test_every_class_gives_its_share_and_draws_differ() -> None:
    train = drawn()
    one = Fraction(train, train, percent=10)
    assert one.picked.shape == (DRAWS, 40)
    for row in one.picked:
        assert train.label[row].bincount().tolist() == [24, 12, 4]
        assert len(row.unique()) == 40
    assert len({tuple(sorted(row.tolist())) for row in one.picked}) == DRAWS
    assert torch.equal(one.picked, Fraction(train, train, percent=10).picked)
    assert not torch.equal(one.picked, Fraction(train, train, 1, percent=10).picked)
    few = Fraction(train, train, percent=1)
    assert train.label[few.picked[0]].bincount().tolist() == [2, 1, 1]  # one at least


def test_it_is_scikit_learns_on_the_same_draw() -> None:
    train, new = drawn(), drawn(seed=1)
    found = Fraction(train, train, percent=10)
    scale = StandardScaler().fit(train.x.numpy())
    theirs = LogisticRegression(max_iter=10_000, tol=1e-10)
    for named, picked in zip(found(new.x), found.picked):
        theirs.fit(scale.transform(train.x[picked].numpy()), train.label[picked].numpy())
        assert (theirs.predict(scale.transform(new.x.numpy())) == named.numpy()).mean() > 0.99


def test_the_curve_rises_and_shares_that_are_too_small_are_left_out() -> None:
    train, held = drawn(), drawn(seed=1)
    features = Features(*(Split(part.x, part.label) for part in (train, held, held)))
    results = judge({"raw": features}, ["fractions"])
    assert [r.protocol for r in results] == ["fraction-1", "fraction-3", "fraction-10", "fraction-30"]
    assert results[0].figures["raw"].mean < results[-1].figures["raw"].mean
    assert results[0].figures["raw"].n == DRAWS
    assert results[0].title == "1 % of labels"
    assert results[0].draws == "fractions"
    tenth = Split(train.x[:100], train.label[:100])
    some = judge({"raw": Features(tenth, tenth, tenth)}, ["fractions"])
    assert [r.protocol for r in some] == ["fraction-3", "fraction-10", "fraction-30"]
    tiny = Split(train.x[:9], torch.arange(9) % 3)
    with pytest.raises(
        InputError, match=r"a sample a class in 30 % of train; these are 9 samples of 3 classes"
    ):
        judge({"raw": Features(tiny, tiny, tiny)}, ["fractions"])
