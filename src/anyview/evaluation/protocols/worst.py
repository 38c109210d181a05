"""Accuracy of the worst class, and of the worst group: what a mean over all samples hides."""

from jaxtyping import Bool, Int
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.protocols.base import Case, Groups, Protocol, Rows
from anyview.evaluation.protocols.linear import Linear
from anyview.evaluation.result import Figure

LISTED = 12  #: groups that have a row each


class Worst(Protocol):
    """Of the probe of ``linear``, whose fit it shares: accuracy within the class where that is least, and where test
    samples are in groups, by those."""

    name = "worst"

    def answer(self, case: Case) -> Int[Tensor, "samples"]:
        return case.fitted(Linear)(case.x)[0]

    def measure(self, answer: Int[Tensor, "samples"], label: Int[Tensor, "samples"], seed: int) -> Rows:
        classes = label.unique(return_inverse=True)[1]
        figure = Figure.resampled(worst_share, answer == label, classes, seed=seed, centred=True)
        return {("worst", "accuracy"): figure}

    def measure_groups(
        self, answer: Int[Tensor, "samples"], label: Int[Tensor, "samples"], groups: Groups, seed: int
    ) -> Rows:
        """Accuracy within the group of test where that is least, its mean over groups, each counted once, and within
        every group where there are ``LISTED`` at most."""
        known = groups.index >= 0
        correct, index = (answer == label)[known], groups.index[known].to(answer.device)
        found = index.unique()
        if len(found) < 2:
            raise InputError(
                "worst needs two groups or more among the test samples; name another column with --groups."
            )
        rows = {
            ("worst-group", "accuracy"): Figure.resampled(
                worst_share, correct, index, seed=seed, centred=True
            ),
            ("mean-group", "accuracy"): Figure.resampled(mean_share, correct, index, seed=seed),
        }
        for i in found.tolist() if len(found) <= LISTED else ():
            rows[f"group-{groups.names[i]}", "accuracy"] = Figure.bootstrap(correct[index == i], seed)
        return rows


def mean_share(correct: Bool[Tensor, "n"], group: Int[Tensor, "n"]) -> float:
    """The mean over groups of the share of ``correct`` within each."""
    share, count = _shares(correct, group)
    return float(share[count > 0].mean())


def worst_share(correct: Bool[Tensor, "n"], group: Int[Tensor, "n"]) -> float:
    """The least share of ``correct`` within a group; groups are numbered from 0, and those without a sample left
    out."""
    share, count = _shares(correct, group)
    return float(share[count > 0].min())


def _shares(correct: Bool[Tensor, "n"], group: Int[Tensor, "n"]) -> tuple[Tensor, Tensor]:
    """Of every group the share of ``correct``, and how many samples it has."""
    count = group.bincount()
    return group.bincount(correct.double()) / count, count


PROTOCOL = Worst()
