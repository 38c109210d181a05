"""How many labels does pretraining save? Its learning curve against that of training from scratch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

from anyview.errors import InputError
from anyview.register import system

ROUNDING = 1e-12  #: accuracies that differ by less are equal


@dataclass(frozen=True)
class Saved:
    """At one budget of labels.

    Attributes:
        labels: n, that the pretrained encoder had.
        needed: labels that training from scratch needs for the same accuracy.
        bound: 0 where ``needed`` lies on its curve; 1 where it is above all of it and ``needed`` is a lower bound, -1
            where it is below all of it and ``needed`` is an upper bound.
    """

    labels: float
    needed: float
    bound: int

    @property
    def utility(self) -> float:
        """``U(n) = needed / n - 1``: 1 halves the labels, 0 saves none."""
        return self.needed / self.labels - 1


@system(
    "utility-study",
    title="How Useful is Self-Supervised Pretraining for Visual Tasks?",
    paper="arXiv:2003.14323",
    year=2020,
    kind="evaluation",
    modalities=("any",),
)
@dataclass(frozen=True)
class UtilityStudy:
    """The utility of Newell and Deng (2020, section 3): ``U(n) = n_hat(n) / n - 1``, where training from scratch
    reaches with ``n_hat`` labels what fine-tuning reaches with ``n``.

    Curves are smoothed to rise (isotonic regression) and read linearly in ``log n``. Beyond the accuracies that
    training from scratch reaches nothing is extrapolated; a bound is given.

    Args:
        labels: budgets, rising.
        pretrained: accuracy of the pretrained encoder with each.
        scratch: that of the same network from fresh weights, by the same recipe.

    Raises:
        InputError: for fewer than two budgets, or budgets that do not rise or do not match.
    """

    labels: Sequence[float]
    pretrained: Sequence[float]
    scratch: Sequence[float]

    def __post_init__(self) -> None:
        if not len(self.labels) == len(self.pretrained) == len(self.scratch) >= 2:
            raise InputError("a curve of utility needs two budgets or more, and both accuracies at each")
        if self.labels[0] <= 0 or (np.diff(self.labels) <= 0).any():
            raise InputError(f"budgets of labels must rise from above 0; these are {list(self.labels)}")

    def saved(self) -> list[Saved]:
        """At every budget."""
        log_n, start, curve = self._curves()
        return [self._inverse(n, value, log_n, curve) for n, value in zip(self.labels, start)]

    def meet(self) -> float | None:
        """The least budget from which on training from scratch is as good; None where it is not within these."""
        log_n, start, curve = self._curves()
        gap = start - curve
        if gap[-1] > 0:
            return None
        above = np.flatnonzero(gap > 0)
        if not len(above):
            return float(self.labels[0])
        i = int(above[-1])
        share = gap[i] / (gap[i] - gap[i + 1])
        return math.exp(log_n[i] + share * (log_n[i + 1] - log_n[i]))

    def _curves(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        log_n = np.log(np.asarray(self.labels, dtype=float))
        smooth = [IsotonicRegression().fit_transform(log_n, y) for y in (self.pretrained, self.scratch)]
        return log_n, smooth[0], smooth[1]

    def _inverse(self, n: float, value: float, log_n: np.ndarray, curve: np.ndarray) -> Saved:
        if value > curve[-1] + ROUNDING:
            return Saved(n, float(self.labels[-1]), 1)
        if value < curve[0] - ROUNDING:
            return Saved(n, float(self.labels[0]), -1)
        value = float(np.clip(value, curve[0], curve[-1]))
        # where the curve is flat many budgets give this accuracy, and the nearest to n is taken
        first = int(np.searchsorted(curve, value, side="left"))
        last = int(np.searchsorted(curve, value, side="right")) - 1
        if first <= last:
            return Saved(n, float(np.clip(n, self.labels[first], self.labels[last])), 0)
        share = (value - curve[last]) / (curve[first] - curve[last])
        return Saved(n, math.exp(log_n[last] + share * (log_n[first] - log_n[last])), 0)
