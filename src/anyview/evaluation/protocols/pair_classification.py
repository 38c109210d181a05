"""Pair classification: are two sides the same (a paraphrase, one speaker) or not?"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.pairs import Sides
from anyview.evaluation.protocols.base import PairCase, Protocol, Rows
from anyview.evaluation.result import Figure


class PairClassification(Protocol):
    """Pairs of two classes told apart by their cosine alone: the second class, in order of names, is *same*.

    Average precision of the ranking by cosine, and the accuracy of a threshold: the one that does best on train and
    validation together, in the middle between two cosines. The protocol of MTEB (arXiv:2210.07316, section 3),
    which chooses the threshold on test. Without train there is no threshold, and no accuracy.

    Raises:
        InputError: labels that are no two classes.
    """

    name = "pair-classification"
    paired = True

    def answer(self, case: PairCase) -> tuple[Tensor, ...]:
        """Cosines and, where there is a threshold, which pairs are the same by it."""
        cosine = _cosine(case.sides)
        if case.known is None:
            return (cosine,)
        sides, label = case.known
        kept = label.isfinite() if label.is_floating_point() else label >= 0
        return cosine, cosine >= best_threshold(_cosine(sides)[kept], _same(label[kept]))

    def measure(self, answer: tuple[Tensor, ...], label: Tensor | None, seed: int) -> Rows:
        if label is None:
            raise InputError(
                "pair-classification needs a class for each pair; name their column with --label."
            )
        kept = label.isfinite() if label.is_floating_point() else label >= 0
        same = _same(label[kept])
        precision = Figure.resampled(average_precision, answer[0][kept], same, seed=seed)
        rows: Rows = {(self.name, "average precision"): precision}
        if len(answer) > 1:
            rows[self.name, "accuracy"] = Figure.bootstrap(answer[1][kept] == same, seed)
        return rows


def _cosine(sides: Sides) -> Float[Tensor, "pairs"]:
    return F.cosine_similarity(sides.first, sides.second).cpu()


def _same(label: Tensor) -> Bool[Tensor, "pairs"]:
    label = label.cpu()
    if label.unique().tolist() != [0, 1]:
        raise InputError(
            f"pair-classification needs pairs of two classes; {len(label)} labelled pairs have "
            f"{len(label.unique())}. Name another column with --label, or leave out pair-classification."
        )
    return label == 1


def average_precision(score: Float[Tensor, "n"], positive: Bool[Tensor, "n"]) -> float:
    """Area under the curve of precision over recall, by steps; NaN where nothing is positive. Equal scores stand
    together."""
    ranked, order = score.sort(descending=True)
    last = torch.cat([ranked[1:] != ranked[:-1], torch.ones(len(ranked[:1]), dtype=torch.bool)])
    found = positive[order].double().cumsum(0)[last]
    precision = found / (last.nonzero().squeeze(1) + 1)
    return float((precision * found.diff(prepend=found.new_zeros(1))).sum() / positive.sum())


def best_threshold(score: Float[Tensor, "n"], positive: Bool[Tensor, "n"]) -> float:
    """The threshold at and above which calling all positive is right most often, the lowest of equals: in the
    middle between two scores, or beyond them all."""
    ordered, order = score.double().sort()
    positive = positive[order]
    new = torch.ones(len(ordered) + 1, dtype=torch.bool)  # cuts that lie between different scores, or outside
    new[1:-1] = ordered[1:] != ordered[:-1]
    below = torch.cat([torch.zeros(1), (~positive).cumsum(0)])
    above = torch.cat([positive.sum()[None], positive.sum() - positive.cumsum(0)])
    cut = int((below + above).masked_fill(~new, -1).argmax())
    ends = torch.cat([ordered[:1] - 1, ordered, ordered[-1:] + 1])
    return float((ends[cut] + ends[cut + 1]) / 2)


PROTOCOL = PairClassification()
