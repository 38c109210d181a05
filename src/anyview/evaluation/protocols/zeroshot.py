"""Zero-shot classification: a sample gets the class whose name is nearest."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.pairs import TIE
from anyview.evaluation.protocols.base import PairCase, Protocol, Rows
from anyview.evaluation.result import Figure


class ZeroShot(Protocol):
    """Accuracy of the class whose name is nearest by cosine (CLIP, arXiv:2103.00020, section 3.1).

    Names that are tied with the nearest one share its vote: the sample is right by chance among them. Samples
    whose class is unknown (below 0) are left out.

    Raises:
        InputError: no sample has a label, or there are fewer than two classes.
    """

    name = "zeroshot"
    paired = True

    def answer(self, case: PairCase) -> Float[Tensor, "samples classes"] | None:
        """The share of its vote that each class gets."""
        if case.words is None:
            return None
        similarity = F.normalize(case.sides.first, dim=1) @ F.normalize(case.words, dim=1).T
        nearest = similarity >= similarity.amax(1, keepdim=True) - TIE
        return nearest / nearest.sum(1, keepdim=True)

    def measure(
        self, answer: Float[Tensor, "samples classes"], label: Int[Tensor, "samples"], seed: int
    ) -> Rows:
        known, classes = label >= 0, answer.shape[1]
        if not known.any() or classes < 2:
            raise InputError(
                f"zeroshot needs two named classes or more and labelled test samples; {int(known.sum())} of "
                f"{len(label)} samples have a label, of {classes} classes. Name the labels with --label."
            )
        share = answer[known].gather(1, label[known][:, None])[:, 0]
        return {("zeroshot", "accuracy"): Figure.bootstrap(share, seed)}


PROTOCOL = ZeroShot()
