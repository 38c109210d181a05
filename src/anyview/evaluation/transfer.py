"""Do encoders that are good here transfer there? Rank correlations between tasks over several encoders."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import kendalltau
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.metrics import ranks, spearman
from anyview.evaluation.result import Figure
from anyview.register import system

LEAST = 3  #: encoders that a correlation can be of
EDGE = 1e-3  #: accuracies are kept so far from 0 and 1, whose logits are infinite


def kendall(x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> float:
    """Kendall's tau-b; 0 when one side is constant."""
    value = float(kendalltau(x.numpy(), y.numpy()).statistic)
    return value if value == value else 0.0


def logit_pearson(x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> float:
    """Pearson's correlation of log-odds of accuracies, which differences near 0 and 1 do not flatten (Kornblith et al.
    2019, arXiv:1805.08974, section 3); NaN when one side is constant."""
    a, b = (value.double().clamp(EDGE, 1 - EDGE).logit() for value in (x, y))
    if (a == a[0]).all() or (b == b[0]).all():
        return float("nan")
    return float(np.corrcoef(a.numpy(), b.numpy())[0, 1])


STATISTICS: dict[str, Callable[[Tensor, Tensor], float]] = {
    "spearman": spearman,
    "kendall": kendall,
    "pearson of logits": logit_pearson,
}


@system(
    "transfer-study-40",
    title="How Well Do Self-Supervised Models Transfer?",
    paper="arXiv:2011.13377",
    year=2021,
    kind="evaluation",
    modalities=("any",),
)
@dataclass(frozen=True)
class TransferStudy:
    """Several encoders on several tasks, as Ericsson et al. (2021, section 4) compare them: whether the order of
    encoders on one task, such as that they were pretrained on, is their order on another.

    With few encoders a correlation says little; intervals are of a bootstrap over encoders.

    Args:
        figures: encoder -> task -> accuracy, a share of 1 where more is better; all have the same tasks.

    Raises:
        InputError: for fewer than three encoders, or one that lacks a task.
    """

    figures: Mapping[str, Mapping[str, float]]

    def __post_init__(self) -> None:
        if len(self.figures) < LEAST:
            raise InputError(
                f"correlations over {len(self.figures)} encoders say nothing; give {LEAST} or more"
            )
        for name, row in self.figures.items():
            if missing := set(self.tasks) ^ set(row):
                raise InputError(
                    f"{name} and the first encoder do not have the same tasks ({sorted(missing)[0]})"
                )

    @property
    def tasks(self) -> list[str]:
        return list(next(iter(self.figures.values())))

    def column(self, task: str) -> Float[Tensor, "encoders"]:
        return torch.tensor([row[task] for row in self.figures.values()], dtype=torch.float64)

    def correlation(self, first: str, second: str, by: str = "spearman", seed: int = 0) -> Figure:
        """Of two tasks, with the percentile interval over resampled encoders.

        Args:
            by: of ``STATISTICS``.
        """
        return Figure.resampled(STATISTICS[by], self.column(first), self.column(second), seed=seed)

    def against(self, reference: str, by: str = "spearman", seed: int = 0) -> dict[str, Figure]:
        """Every other task with ``reference``, the score at home (ImageNet's, in the paper)."""
        others = (task for task in self.tasks if task != reference)
        return {task: self.correlation(reference, task, by, seed) for task in others}

    def table(self, by: str = "spearman") -> Float[Tensor, "tasks tasks"]:
        """Of every two tasks, in order, without intervals."""
        columns = [self.column(task) for task in self.tasks]
        return torch.tensor([[STATISTICS[by](a, b) for b in columns] for a in columns], dtype=torch.float64)

    def mean_ranks(self) -> dict[str, float]:
        """Encoder -> its mean rank over tasks; 1 is the best, ties share theirs."""
        each = torch.stack([ranks(-self.column(task)) for task in self.tasks])
        return dict(zip(self.figures, each.mean(0).tolist()))
