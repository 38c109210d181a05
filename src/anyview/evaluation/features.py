"""One representation of a dataset, cut into the three splits of an evaluation."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from anyview.data.source import Source
from anyview.errors import InputError
from anyview.training.model import Model

FRACTIONS = "Make them whole numbers, or take the protocol regression."


@dataclass(frozen=True)
class Split:
    """Embeddings and their labels: classes, whole numbers, below 0 where the sample has none; or targets of a
    regression, fractions, NaN where it has none. ``source`` holds the samples themselves, where they are at
    hand."""

    x: Float[Tensor, "samples features"]
    label: Shaped[Tensor, "labels"] | None
    source: Source | None = None


@dataclass(frozen=True)
class Labelled:
    """What a protocol works on: float32 embeddings, every one with its label."""

    x: Float[Tensor, "samples features"]
    label: Int[Tensor, "samples"]
    source: Source | None = None


@dataclass(frozen=True)
class Aimed:
    """What a regression works on: float32 embeddings, every one with its target."""

    x: Float[Tensor, "samples features"]
    label: Float[Tensor, "samples"]
    source: Source | None = None


@dataclass(frozen=True)
class Features:
    """The splits of one representation.

    A protocol is given ``train`` to fit on, ``validation`` to choose on and ``test.x`` to answer for;
    ``test.label`` is read once, after it has answered. No choice can depend on it.

    Attributes:
        model: what embeds; None for raw features and vectors made elsewhere.
        embed: makes this representation of other samples; None for vectors made elsewhere.
        maps: makes ``(samples, dim, rows, columns)`` of other samples, a vector of every part; None where that is
            not known.
    """

    train: Split
    validation: Split
    test: Split
    model: Model | None = None
    embed: Callable[[Source], Tensor] | None = None
    maps: Callable[[Source], Tensor] | None = None

    def splits(self) -> dict[str, Split]:
        return {"train": self.train, "validation": self.validation, "test": self.test}


def labelled(name: str, features: Features) -> tuple[Labelled, Labelled, Labelled]:
    """The labelled samples of train, validation and test, if they can be judged.

    Raises:
        InputError: labels missing or not whole numbers, an empty split, one class only, or an embedding that
            is not finite (naming the representation and the first such row).
    """
    found = []
    for part, split in features.splits().items():
        label = _aligned(name, part, split)
        if label.is_floating_point():
            raise InputError(f"evaluate needs classes; the {part} labels are {label.dtype}. {FRACTIONS}")
        keep = _known(part, label >= 0)
        found.append(Labelled(split.x[keep].float(), label[keep].long(), _taken(split, keep)))
    train, validation, test = found
    classes = train.label.unique()
    if len(classes) < 2:
        raise InputError(
            f"evaluate needs two classes or more; all {len(train.label)} labelled train samples are of class "
            f"{int(classes[0])}. Name another column with --label."
        )
    known = torch.isin(torch.cat([validation.label, test.label]), classes)
    if not known.all():
        warnings.warn(
            f"{int((~known).sum())} samples of validation and test are of classes that train does not have; "
            "they count as wrong",
            stacklevel=3,
        )
    return train, validation, test


def aimed(name: str, features: Features) -> tuple[Aimed, Aimed, Aimed]:
    """The samples of train, validation and test that have a target, if a regression can be judged.

    Raises:
        InputError: labels missing or classes, an empty split, one target only in train or in test, or an
            embedding that is not finite.
    """
    found = []
    for part, split in features.splits().items():
        label = _aligned(name, part, split)
        if not label.is_floating_point():
            raise InputError(
                f"regression needs targets that are fractions; the {part} labels are classes ({label.dtype}). "
                "Name another column with --label, or take another protocol."
            )
        keep = _known(part, label.isfinite())
        found.append(Aimed(split.x[keep].float(), label[keep].float(), _taken(split, keep)))
        first = float(found[-1].label[0])
        if part != "validation" and (found[-1].label == first).all():
            raise InputError(
                f"regression needs targets that differ; all {int(keep.sum())} {part} targets are {first:g}. "
                "Name another column with --label, or give more samples."
            )
    train, validation, test = found
    return train, validation, test


def _aligned(name: str, part: str, split: Split) -> Tensor:
    """The labels of a split, one for each of its embeddings, which are finite."""
    finite = split.x.isfinite().all(1)
    if not finite.all():
        row = int((~finite).nonzero()[0])
        raise InputError(
            f'representation "{name}" is not finite (NaN or infinite) in {int((~finite).sum())} of '
            f"{len(finite)} {part} rows, first row {row}. Look at that sample, or at the run's health."
        )
    if split.label is None:
        raise InputError(f"evaluate needs labels; the {part} split has none. Name them with --label.")
    if len(split.label) != len(split.x):
        raise InputError(
            f'representation "{name}" has {len(split.x)} {part} rows for {len(split.label)} labels.'
        )
    return split.label


def _known(part: str, keep: Tensor) -> Tensor:
    if not keep.any():
        raise InputError(
            f"evaluate needs labels; none of the {len(keep)} {part} samples has one. "
            "Name them with --label, or give more samples."
        )
    return keep


def _taken(split: Split, keep: Tensor) -> Source | None:
    return None if split.source is None else split.source.take(keep.nonzero()[:, 0])


def unlabelled(source: Source | None) -> Source | None:
    """The same samples without their labels."""
    return None if source is None else source.hidden()


def standardiser(x: Float[Tensor, "samples features"]) -> Callable[[Tensor], Tensor]:
    """The map to mean 0 and deviation 1 by the statistics of ``x``; constant features become 0."""
    # means of blocks that lie in the cache are exact enough in float32; what is summed over all is not
    blocks = x.split(max(1, 2**18 // max(1, x.shape[1])))
    mean = sum(block.mean(0).double() * len(block) for block in blocks) / len(x)
    var = sum((block - mean.to(x)).square_().sum(0).double() for block in blocks) / len(x)
    mean, std = mean.to(x), var.sqrt().to(x)
    # a feature that varies only by rounding carries nothing: scaling it up would make noise of it
    std = torch.where(std > 1e-6 * mean.abs(), std, torch.inf)
    return lambda y: (y - mean).div_(std)
