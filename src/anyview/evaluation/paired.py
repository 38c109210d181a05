"""Who is better, and how sure: differences between methods paired over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import stdtr

from anyview.evaluation.result import COVERAGE, Figure


@dataclass(frozen=True)
class Difference:
    """How much better ``first`` is than ``second``: mean over seeds, its interval, and how sure that is.

    Attributes:
        low, high: 95 % confidence interval of the mean (Student's t); infinite with one seed.
        p: of a two-sided paired t-test, corrected for the number of pairs (Holm); 1 with one seed.
    """

    first: str
    second: str
    mean: float
    low: float
    high: float
    p: float

    @property
    def sure(self) -> bool:
        """Whether chance alone would hardly ever give such a difference."""
        return self.p < 1 - COVERAGE


def interval(values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """95 % confidence interval of the mean by Student's t; infinite for a single value."""
    figure = Figure.over(torch.from_numpy(values))
    return (-np.inf, np.inf) if figure.low is None or figure.high is None else (figure.low, figure.high)


def paired(figures: dict[str, dict[int, float]], higher: bool = True) -> list[Difference]:
    """Every two of several, compared on the seeds that both have.

    Seeds are shared by all methods (splits, draws of labels, first weights), so differences within a seed vary
    less than figures do.

    Args:
        figures: name -> seed -> figure.
        higher: whether more is better; otherwise differences are turned around.

    Returns:
        ``first`` is the better one of each pair.
    """
    found = []
    for a, b in combinations(figures, 2):
        seeds = sorted(figures[a].keys() & figures[b].keys())
        if not seeds:
            continue
        gap = np.array([figures[a][s] - figures[b][s] for s in seeds]) * (1 if higher else -1)
        if gap.mean() < 0:
            a, b, gap = b, a, -gap
        found.append(Difference(a, b, float(gap.mean()), *interval(gap), _chance(gap)))
    return [Difference(d.first, d.second, d.mean, d.low, d.high, p) for d, p in zip(found, holm(found))]


def _chance(gap: np.ndarray) -> float:
    """The p-value of a paired t-test; of differences that are all alike it is 0, or 1 when they are 0."""
    if len(gap) < 2:
        return 1.0
    if np.ptp(gap) == 0:
        return float(gap[0] == 0)
    n = len(gap)
    return float(2 * stdtr(n - 1, -abs(gap.mean()) / (gap.std(ddof=1) / np.sqrt(n))))


def holm(tests: Sequence[Difference]) -> list[float]:
    """p-values corrected so that one wrong claim among all is as rare as asked of one (Holm, 1979)."""
    order = sorted(range(len(tests)), key=lambda i: tests[i].p)
    corrected, so_far = [1.0] * len(tests), 0.0
    for place, i in enumerate(order):
        so_far = max(so_far, min(1.0, (len(tests) - place) * tests[i].p))
        corrected[i] = so_far
    return corrected
