"""Few-shot evaluation: what the representation is worth when hardly anything is labelled."""

import warnings
from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.features import Labelled, standardiser
from anyview.evaluation.logistic import SoftmaxRegression
from anyview.evaluation.protocols.base import Classification

DRAWS = 20
C = 1.0
BLOCK = 2**24  #: numbers of one kind held at a time while draws are solved together (128 MB)


class Subsets:
    """Logistic regression on parts of train, one for each draw, with C of 1 (scikit-learn's meaning and default).

    Features are standardised by the whole train split, which needs no labels.

    Args:
        picked: places in train, as many in every draw.
        tolerance: of each fit.
    """

    def __init__(
        self, train: Labelled, picked: Int[Tensor, "draws picked"], tolerance: float = 1e-12
    ) -> None:
        self.classes, label = train.label.unique(return_inverse=True)
        self.standardise = standardiser(train.x)
        self.picked = picked.to(label.device)
        x, classes = self.standardise(train.x), len(self.classes)
        held = picked.shape[1] * max(x.shape[1], classes)
        self.layers = [
            SoftmaxRegression(x[some], label[some], classes).fit(1 / (C * picked.shape[1]), tolerance)
            for some in self.picked.split(max(1, BLOCK // held))
        ]

    def __call__(self, x: Float[Tensor, "samples features"]) -> Int[Tensor, "draws samples"]:
        x = self.standardise(x)
        return self.classes[torch.cat([layer(x) for layer in self.layers])]


class FewShot(Subsets):
    """Logistic regression on ``shots`` labelled samples a class, drawn ``DRAWS`` times from train.

    C is fixed: whoever has one label a class has none left to choose it on. A class with
    fewer than ``shots`` samples gives what it has, with a warning. The same seed draws the same samples for
    every representation, so the rows of a table differ by representation only.

    Raises:
        InputError: a class of the validation split has no sample in train.
    """

    def __init__(self, train: Labelled, validation: Labelled, seed: int = 0, *, shots: int) -> None:
        classes, label, sizes = train.label.unique(return_inverse=True, return_counts=True)
        missing = validation.label[~torch.isin(validation.label, classes)]
        if len(missing):
            raise InputError(
                f"fewshot needs a sample of every class; label {int(missing[0])} is in validation but not in "
                "train. Remove it, move a sample of it to train, or leave out fewshot."
            )
        short = sizes[sizes < shots]
        if len(short):
            warnings.warn(
                f"{len(short)} of {len(classes)} classes have fewer than {shots} train samples "
                f"(fewest: {int(short.min())}); fewshot takes those there are",
                stacklevel=2,
            )
        super().__init__(train, draw(label.cpu(), sizes.clamp(max=shots).tolist(), seed))


def draw(
    label: Int[Tensor, "samples"], counts: Sequence[int], seed: int, draws: int = DRAWS
) -> Int[Tensor, "draws picked"]:
    """``counts`` samples of every class without repetition, ``draws`` times over; classes in order."""
    generator = torch.Generator().manual_seed(seed)
    members = [(label == c).nonzero()[:, 0] for c in range(len(counts))]
    return torch.stack(
        [
            torch.cat([m[torch.randperm(len(m), generator=generator)[:n]] for m, n in zip(members, counts)])
            for _ in range(draws)
        ]
    )


PROTOCOL = Classification("fewshot", {f"fewshot-{n}": partial(FewShot, shots=n) for n in (1, 5, 10)})
