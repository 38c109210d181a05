"""Weighted nearest neighbours on the sphere."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from anyview.evaluation.features import Labelled
from anyview.evaluation.neighbours import Bank
from anyview.evaluation.protocols.base import Classification

NEIGHBOURS = (1, 5, 10, 20, 50, 200)
TEMPERATURE = 0.07


class KNN:
    """Weighted k-nearest-neighbour classifier: every neighbour votes with ``exp(cos / 0.07)``.

    Wu et al., 2018 (arXiv:1805.01978, section 3.4), the protocol of DINO. The bank is the train split. k is
    the one of ``NEIGHBOURS`` up to a tenth of the bank with the best validation accuracy, the smallest of
    equals.
    """

    def __init__(self, train: Labelled, validation: Labelled, seed: int = 0) -> None:
        self.classes, label = train.label.unique(return_inverse=True)
        self.bank = Bank(F.normalize(train.x, dim=1), label, len(self.classes), TEMPERATURE)
        ks = [k for k in NEIGHBOURS if k == 1 or k <= len(label) // 10]
        right = (self._votes(validation.x, ks) == validation.label).double().mean(1)
        self.k = ks[int(right.argmax())]

    def __call__(self, x: Float[Tensor, "samples features"]) -> Int[Tensor, "1 samples"]:
        return self._votes(x, [self.k])

    def _votes(self, x: Float[Tensor, "samples features"], ks: list[int]) -> Int[Tensor, "ks samples"]:
        """Predicted labels for each number of neighbours; one search serves them all."""
        return self.classes[self.bank.vote(F.normalize(x, dim=1), ks)]


PROTOCOL = Classification("knn", {"knn": KNN})
