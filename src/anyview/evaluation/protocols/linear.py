"""Linear evaluation: what one linear layer can read off the representation."""

import math
from collections.abc import Callable
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from anyview.evaluation.features import Labelled, standardiser
from anyview.evaluation.logistic import SoftmaxRegression
from anyview.evaluation.protocols.base import Classification

PENALTIES = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
PATIENCE = 2
CHOOSING = 1e-5  #: tolerance along the path
FITTED = 2e-8  #: of the penalty that was chosen: what logits in float32 resolve


class Linear:
    """Multinomial logistic regression on features standardised by train statistics.

    Fitted on the train split alone, as every row of the table is; validation only chooses. The penalty (on
    half the squared weights, beside the mean cross-entropy) is the one of ``PENALTIES`` that does best on
    validation, the strongest of equals (``chosen``). The path runs from strong to weak with warm starts, roughly, and
    ends when ``PATIENCE`` weaker penalties in a row were no better than the best, or one was clearly worse
    (by two standard errors); the chosen one is then fitted to the end.
    """

    def __init__(self, train: Labelled, validation: Labelled, seed: int = 0) -> None:
        self.standardise = standardiser(train.x)
        self.classes, label = train.label.unique(return_inverse=True)
        problem, held = self._problem(self.standardise(train.x), label), self.standardise(validation.x)

        def merit(layer: Any) -> tuple[float, float]:
            self.layer = layer
            return self._merit(held, validation.label)

        self.layer, self.penalty = chosen(problem, merit)

    def _problem(self, z: Tensor, label: Tensor) -> Any:
        """What is fitted: ``fit(penalty, tolerance)`` gives an ``Affine``, from ``solution`` on."""
        return SoftmaxRegression(z[None], label[None], len(self.classes))

    def _merit(self, z: Tensor, label: Tensor) -> tuple[float, float]:
        """What is best on validation, its accuracy, and the standard error of that."""
        right = float((self.classes[self.layer(z)[0]] == label).double().mean())
        return right, math.sqrt(right * (1 - right) / len(label))

    def __call__(self, x: Float[Tensor, "samples features"]) -> Int[Tensor, "draws samples"]:
        return self.classes[self.layer(self.standardise(x))]

    def probabilities(self, x: Float[Tensor, "samples features"]) -> Float[Tensor, "samples classes"]:
        """Of every class, in order of ``classes``."""
        return self.layer.scores(self.standardise(x))[0].double().softmax(1)


def chosen(problem: Any, merit: Callable[[Any], tuple[float, float]]) -> tuple[Any, float]:
    """What a problem gives at the penalty that does best on validation, fitted to the end, and that penalty.

    Args:
        problem: ``fit(penalty, tolerance)``, from its ``solution`` on.
        merit: of what was fitted, what is best on validation and its standard error.
    """
    best, worse, penalty_, start = -math.inf, 0, PENALTIES[0], problem.solution
    for penalty in PENALTIES:
        value, error = merit(problem.fit(penalty, CHOOSING))
        clearly = best - value > 2 * error > 0
        worse = 0 if value > best else worse + 1
        if value > best:
            best, penalty_, start = value, penalty, problem.solution
        if worse == PATIENCE or clearly:
            break
    problem.solution = start
    return problem.fit(penalty_, FITTED), penalty_


PROTOCOL = Classification("linear", {"linear": Linear})
