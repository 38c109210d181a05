"""Linear evaluation: what one linear layer can read off the representation."""

from jaxtyping import Float, Int
from torch import Tensor

from anyview.evaluation.features import Labelled, standardiser
from anyview.evaluation.logistic import SoftmaxRegression

PENALTIES = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
PATIENCE = 2


class Linear:
    """Multinomial logistic regression on features standardised by train statistics.

    Fitted on the train split alone, as every row of the table is; validation only chooses. The penalty (on
    half the squared weights, beside the mean cross-entropy) is the one of ``PENALTIES`` with the best
    validation accuracy, the strongest of equals. The path runs from strong to weak with warm starts and ends
    when ``PATIENCE`` weaker penalties in a row were no better than the best.
    """

    def __init__(self, train: Labelled, validation: Labelled, seed: int = 0) -> None:
        self.standardise = standardiser(train.x)
        self.classes, label = train.label.unique(return_inverse=True)
        problem = SoftmaxRegression(self.standardise(train.x)[None], label[None], len(self.classes))
        held, best, worse = self.standardise(validation.x), -1.0, 0
        for penalty in PENALTIES:
            fitted = problem.fit(penalty)
            right = float((self.classes[fitted(held)[0]] == validation.label).double().mean())
            worse = 0 if right > best else worse + 1
            if right > best:
                best, self.penalty, self.layer = right, penalty, fitted
            if worse == PATIENCE:
                break

    def __call__(self, x: Float[Tensor, "samples features"]) -> Int[Tensor, "1 samples"]:
        return self.classes[self.layer(self.standardise(x))]
