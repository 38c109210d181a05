"""Label-fraction curves: how accuracy grows with the share of train that is labelled."""

from jaxtyping import Int
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.features import Labelled
from anyview.evaluation.protocols.base import Case, Protocol, Rows, accuracy
from anyview.evaluation.protocols.fewshot import Subsets, draw

PERCENT = (1, 3, 10, 30)
DRAWS = 5
TOLERANCE = 1e-8


class Fraction(Subsets):
    """Logistic regression on a share of train, drawn ``DRAWS`` times: of each class its share, but one at least.

    C is 1, as for ``fewshot``. The same seed draws the same samples for every representation.

    Args:
        percent: of the train samples.
    """

    def __init__(self, train: Labelled, validation: Labelled, seed: int = 0, *, percent: int) -> None:
        _, label, sizes = train.label.unique(return_inverse=True, return_counts=True)
        counts = [max(1, round(percent / 100 * size)) for size in sizes.tolist()]
        super().__init__(train, draw(label.cpu(), counts, seed, DRAWS), TOLERANCE)


class Fractions(Protocol):
    """Accuracy with 1, 3, 10 and 30 % of the labels of train; shares of less than a sample a class are left out.

    Raises:
        InputError: when that leaves none.
    """

    name = "fractions"

    def answer(self, case: Case) -> dict[str, Int[Tensor, "draws samples"]]:
        samples, classes = len(case.train.label), len(case.train.label.unique())
        shares = [percent for percent in PERCENT if percent / 100 * samples >= classes]
        if not shares:
            raise InputError(
                f"fractions needs a sample a class in {PERCENT[-1]} % of train; these are {samples} samples of "
                f"{classes} classes. Take fewshot, or leave out fractions."
            )
        train, validation = case.train, case.validation
        return {
            f"fraction-{percent}": Fraction(train, validation, case.seed, percent=percent)(case.x)
            for percent in shares
        }

    def measure(self, answer: dict[str, Tensor], label: Tensor, seed: int) -> Rows:
        return {(row, "accuracy"): accuracy(found.eq(label), seed) for row, found in answer.items()}


PROTOCOL = Fractions()
