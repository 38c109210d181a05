"""Accuracy of the worst class: what a mean over all samples hides."""

from jaxtyping import Bool, Int
from torch import Tensor

from anyview.evaluation.protocols.base import Case, Protocol, Rows
from anyview.evaluation.protocols.linear import Linear
from anyview.evaluation.result import Figure


class Worst(Protocol):
    """Of the probe of ``linear``, whose fit it shares: accuracy within the class where that is least."""

    name = "worst"

    def answer(self, case: Case) -> Int[Tensor, "samples"]:
        return case.fitted(Linear)(case.x)[0]

    def measure(self, answer: Int[Tensor, "samples"], label: Int[Tensor, "samples"], seed: int) -> Rows:
        classes = label.unique(return_inverse=True)[1]
        figure = Figure.resampled(worst_share, answer == label, classes, seed=seed, centred=True)
        return {("worst", "accuracy"): figure}


def worst_share(correct: Bool[Tensor, "n"], group: Int[Tensor, "n"]) -> float:
    """The least share of ``correct`` within a group; groups are numbered from 0, and those without a sample left
    out."""
    count = group.bincount()
    share = group.bincount(correct.double()) / count
    return float(share[count > 0].min())


PROTOCOL = Worst()
