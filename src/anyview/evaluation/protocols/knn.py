"""Weighted nearest neighbours on the sphere."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from anyview.evaluation.features import Labelled
from anyview.evaluation.protocols.base import Classification

NEIGHBOURS = (1, 5, 10, 20, 50, 200)
TEMPERATURE = 0.07
BLOCK = 2**24  #: similarities held at a time (64 MB)


class KNN:
    """Weighted k-nearest-neighbour classifier: every neighbour votes with ``exp(cos / 0.07)``.

    Wu et al., 2018 (arXiv:1805.01978, section 3.4), the protocol of DINO. The bank is the train split. k is
    the one of ``NEIGHBOURS`` up to a tenth of the bank with the best validation accuracy, the smallest of
    equals.
    """

    def __init__(self, train: Labelled, validation: Labelled, seed: int = 0) -> None:
        self.bank = F.normalize(train.x, dim=1)
        self.classes, self.label = train.label.unique(return_inverse=True)
        ks = [k for k in NEIGHBOURS if k == 1 or k <= len(self.bank) // 10]
        right = (self._votes(validation.x, ks) == validation.label).double().mean(1)
        self.k = ks[int(right.argmax())]

    def __call__(self, x: Float[Tensor, "samples features"]) -> Int[Tensor, "1 samples"]:
        return self._votes(x, [self.k])

    def _votes(self, x: Float[Tensor, "samples features"], ks: list[int]) -> Int[Tensor, "ks samples"]:
        """Predicted labels for each number of neighbours; one search serves them all."""
        x = F.normalize(x, dim=1)
        predicted = []
        for block in x.split(max(1, BLOCK // len(self.bank))):
            similarity, near = (block @ self.bank.T).topk(max(ks), dim=1)
            # subtracting the largest leaves the vote as it is and keeps exp finite
            weight = ((similarity - similarity[:, :1]) / TEMPERATURE).exp()
            votes = x.new_zeros(len(block), len(self.classes))
            done, rows = 0, []
            for k in ks:
                votes.scatter_add_(1, self.label[near[:, done:k]], weight[:, done:k])
                done = k
                rows.append(self.classes[votes.argmax(1)])
            predicted.append(torch.stack(rows))
        return torch.cat(predicted, dim=1)


PROTOCOL = Classification("knn", {"knn": KNN})
