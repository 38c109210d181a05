"""ROC-AUC of a linear layer: for labels of which one is rare."""

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.metrics import roc_auc
from anyview.evaluation.protocols.base import Case, Protocol, Rows
from anyview.evaluation.protocols.linear import Linear
from anyview.evaluation.result import Figure


class Ranking(Linear):
    """The classifier of ``linear``, whose scores are judged by how they rank the samples, on validation too. It
    answers a score for every class (two classes: of the second alone)."""

    def _merit(self, z: Tensor, label: Tensor) -> tuple[float, float]:
        """ROC-AUC on validation, and its standard error, about that of a share of the rarer class."""
        positive = label[:, None] == self.scored
        area = roc_auc(self._scores(z), positive)
        counts = positive.sum(0)
        fewest = int(torch.minimum(counts, len(label) - counts).clamp(min=1).min())
        return (area, math.sqrt(area * (1 - area) / fewest)) if area == area else (0.0, 0.0)

    def __call__(self, x: Float[Tensor, "samples features"]) -> Float[Tensor, "samples scored"]:
        return self._scores(self.standardise(x))

    @property
    def scored(self) -> Int[Tensor, "scored"]:
        """The classes that scores are of."""
        return self.classes[1:] if len(self.classes) == 2 else self.classes

    def _scores(self, z: Tensor) -> Tensor:
        logits = self.layer.scores(z)[0].double()
        return logits[:, 1:] - logits[:, :1] if len(self.classes) == 2 else logits.log_softmax(1)


class Area(Protocol):
    """ROC-AUC of the scores; of more than two classes, the mean of each against the rest."""

    name = "auc"

    def answer(self, case: Case) -> tuple[Tensor, Tensor]:
        ranking = case.fitted(Ranking)
        return ranking(case.x), ranking.scored

    def measure(self, answer: tuple[Tensor, Tensor], label: Tensor, seed: int) -> Rows:
        score, scored = answer
        return {("auc", "auc"): ranked(score, label[:, None] == scored, seed)}


def ranked(score: Any, positive: Any, seed: int) -> Figure:
    """ROC-AUC of scores, with its sampling error.

    Raises:
        InputError: no class has samples in it and others in the test split.
    """
    score, positive = score.cpu(), positive.cpu()
    if math.isnan(roc_auc(score, positive)):
        raise InputError(
            f"auc needs test samples of two classes; all {len(score)} are of one. "
            "Give more test samples, or leave out auc."
        )
    return Figure.resampled(roc_auc, score, positive, seed=seed)


PROTOCOL = Area()
