"""Few-shot evaluation: what the representation is worth when hardly anything is labelled."""

import warnings
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


class FewShot:
    """Logistic regression on ``shots`` labelled samples a class, drawn ``DRAWS`` times from train.

    C is fixed at 1 (scikit-learn's meaning and default): whoever has one label a class has none left to
    choose it on. Features are standardised by the whole train split, which needs no labels. A class with
    fewer than ``shots`` samples gives what it has, with a warning. The same seed draws the same samples for
    every representation, so the rows of a table differ by representation only.

    Raises:
        InputError: a class of the validation split has no sample in train.
    """

    def __init__(self, train: Labelled, validation: Labelled, seed: int = 0, *, shots: int) -> None:
        self.classes, label = train.label.unique(return_inverse=True)
        missing = validation.label[~torch.isin(validation.label, self.classes)]
        if len(missing):
            raise InputError(
                f"fewshot needs a sample of every class; label {int(missing[0])} is in validation but not in "
                "train. Remove it, move a sample of it to train, or leave out fewshot."
            )
        self.standardise = standardiser(train.x)
        self.picked = draw(label.cpu(), shots, seed).to(label.device)
        x, classes = self.standardise(train.x), len(self.classes)
        held = self.picked.shape[1] * max(x.shape[1], classes)
        self.layers = [
            SoftmaxRegression(x[some], label[some], classes).fit(1 / (C * self.picked.shape[1]))
            for some in self.picked.split(max(1, BLOCK // held))
        ]

    def __call__(self, x: Float[Tensor, "samples features"]) -> Int[Tensor, "draws samples"]:
        x = self.standardise(x)
        return self.classes[torch.cat([layer(x) for layer in self.layers])]


def draw(label: Int[Tensor, "samples"], shots: int, seed: int) -> Int[Tensor, "draws picked"]:
    """``shots`` samples of every class without repetition, ``DRAWS`` times over; classes in order."""
    generator = torch.Generator().manual_seed(seed)
    members = [(label == c).nonzero()[:, 0] for c in range(int(label.max()) + 1)]
    short = [len(m) for m in members if len(m) < shots]
    if short:
        warnings.warn(
            f"{len(short)} of {len(members)} classes have fewer than {shots} train samples "
            f"(fewest: {min(short)}); fewshot takes those there are",
            stacklevel=2,
        )
    return torch.stack(
        [
            torch.cat([m[torch.randperm(len(m), generator=generator)[:shots]] for m in members])
            for _ in range(DRAWS)
        ]
    )


PROTOCOL = Classification("fewshot", {f"fewshot-{n}": partial(FewShot, shots=n) for n in (1, 5, 10)})
