"""Labels saved, on curves whose answer is known, and a sweep that trains both starts alike."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
import torch

from anyview.data import open as open_data
from anyview.errors import InputError
from anyview.evaluation import label_sweep as module
from anyview.evaluation.label_sweep import label_sweep, tuned
from anyview.evaluation.utility import UtilityStudy
from anyview.modalities import modality
from anyview.training.model import Model

N = np.array([50.0, 100, 200, 400, 800, 1600])
CURVE = 0.2 + 0.1 * np.log2(N / 50)  # a tenth a doubling


def study(n: Iterable[float], start: Iterable[float], scratch: Iterable[float]) -> UtilityStudy:
    return UtilityStudy(*([float(v) for v in row] for row in (n, start, scratch)))


def utilities(made: UtilityStudy) -> list[float]:
    return [s.utility for s in made.saved()]


def test_a_curve_against_itself_saves_nothing() -> None:
    same = study(N, CURVE, CURVE)
    assert utilities(same) == pytest.approx([0] * 6)
    assert same.meet() == 50
    flat = np.array([0.2, 0.4, 0.4, 0.4, 0.5, 0.6])  # no detour where it does not rise
    assert utilities(study(N, flat, flat)) == pytest.approx([0] * 6)


@pytest.mark.parametrize("factor", [2.0, 4.0, 0.5, 1.3])
def test_a_curve_shifted_by_a_factor_saves_it(factor: float) -> None:
    """With n labels it reaches what takes ``factor n`` from scratch: U = factor - 1, as far as the curve goes."""
    shifted = CURVE + 0.1 * np.log2(factor)
    for saved in study(N, shifted, CURVE).saved():
        within = 50 <= factor * saved.labels <= 1600 * (1 + 1e-9)
        assert saved.bound == (0 if within else 1 if factor > 1 else -1)
        if within:
            assert saved.utility == pytest.approx(factor - 1)
        else:  # nothing is extrapolated: a bound
            assert saved.needed == (1600 if factor > 1 else 50)


def test_where_the_curves_meet() -> None:
    start = 0.5 + 0.04 * np.log2(N / 50)  # 0.3 above at 50 and 0.06 a doubling less: met after 5 doublings
    assert study(N, start, CURVE).meet() == pytest.approx(1600)
    start = 0.4 + 0.02 * np.log2(N / 50)  # met after 2.5
    assert study(N, start, CURVE).meet() == pytest.approx(50 * 2**2.5)
    assert study(N, CURVE + 0.01, CURVE).meet() is None
    assert study(N, CURVE - 0.01, CURVE).meet() == 50
    saved = utilities(study(N, start, CURVE))
    assert all(a > b for a, b in pairwise(saved))  # and what is saved falls on the way there


def test_noise_that_falls_is_smoothed() -> None:
    noisy = [0.2, 0.35, 0.25, 0.5, 0.6, 0.7]
    pooled = [0.2, 0.3, 0.3, 0.5, 0.6, 0.7]
    start = [0.3, 0.45, 0.5, 0.55, 0.6, 0.7]
    assert utilities(study(N, start, noisy)) == pytest.approx(utilities(study(N, start, pooled)))


@pytest.mark.parametrize(
    ("labels", "curve"), [([100], [0.1]), ([100, 50], [0.1, 0.2]), ([0, 50], [0.1, 0.2]), ([10, 50], [0.1])]
)
def test_curves_that_cannot_be_compared(labels: list[float], curve: list[float]) -> None:
    with pytest.raises(InputError):
        study(labels, curve, curve)


def test_a_sweep_gives_both_starts_the_same_and_only_more_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    digits = open_data("digits")
    kind = modality("image")
    model = Model(kind.encoder("convnet-s", digits.spec, width=4), kind, digits.spec)
    before = {k: v.clone() for k, v in model.encoder.state_dict().items()}
    seen = []
    fit = module.fit

    def spied(model, train, steps, seed, device, start=None, **options):
        seen.append((set(train._rows.tolist()), steps, seed, start is None, tuple(options.items())))
        return fit(model, train, steps, seed, device, start, **options)

    monkeypatch.setattr(module, "fit", spied)
    test = digits.splits["test"].take(torch.arange(100))
    train = digits.train.take(torch.arange(300))
    found = label_sweep(model, train, test, [20, 100], steps=8, views="one_view")
    assert found.labels == [20, 100]
    assert all(len(row) == 2 for row in (found.finetuned, found.scratch, found.linear))
    assert all(0 <= a <= 1 for row in (found.finetuned, found.scratch, found.linear) for a in row)
    few, _, many, _ = (row[0] for row in seen)
    assert (len(few), len(many)) == (20, 100)
    assert few < many
    assert [row[3] for row in seen] == [False, True, False, True]
    assert len({row[1:3] + row[4:] for row in seen}) == 1  # one recipe
    assert seen[0][0] == seen[1][0]
    assert all(torch.equal(v, before[k]) for k, v in model.encoder.state_dict().items())
    assert found.utility.saved()[0].labels == 20
    assert tuned(model, digits.train, test, 8, views="one_view") == tuned(
        model, digits.train, test, 8, views="one_view"
    )


def test_a_sweep_needs_labels() -> None:
    digits, kind = open_data("digits"), modality("image")
    bare = digits.train.take(torch.arange(30))
    bare.label = None
    model = Model(kind.encoder("convnet-s", digits.spec, width=4), kind, digits.spec)
    with pytest.raises(InputError, match="needs labels in train and test"):
        label_sweep(model, bare, digits.splits["test"], [10, 20])
