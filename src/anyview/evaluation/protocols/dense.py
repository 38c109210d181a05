"""Dense linear probe: what a linear layer on the feature map says of every pixel."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from anyview.data.source import NO_CLASS, Source
from anyview.errors import InputError
from anyview.evaluation.features import Features, standardiser
from anyview.evaluation.logistic import BLOCK, SoftmaxRegression
from anyview.evaluation.protocols.base import Case, Protocol, Rows
from anyview.evaluation.protocols.linear import chosen
from anyview.evaluation.result import Figure

Classes = UInt8[Tensor, "samples height width"]  #: of every pixel, ``NO_CLASS`` where it has none
AT_ONCE = 32  #: images whose scores are held at full size


@dataclass(frozen=True)
class Segmented:
    """Samples and the classes of their pixels."""

    x: Tensor
    label: Classes
    source: Source


class SharedRegression(SoftmaxRegression):
    """Softmax regression of cells that belong to several classes: the cross-entropy of every pixel, where all of a
    cell are scored alike, is ``-sum_c share_c log p_c`` of the cell.

    Args:
        x: ``(cells, features)``.
        share: of the pixels of a cell, those of each class; they add up to those that have one.
    """

    def __init__(self, x: Float[Tensor, "cells features"], share: Float[Tensor, "cells classes"]) -> None:
        known = share.sum(1) > 0
        super().__init__(x[known][None], torch.zeros(1, int(known.sum()), dtype=torch.int64), share.shape[1])
        self.share = share[known].T.double()

    def _entropy(self, w: Float[Tensor, "1 rows classes"]) -> tuple[float, Tensor]:
        weight, bias = w[0, :-1].T.to(self.x.dtype).contiguous(), w[0, -1, :, None]
        loss, slope, whole = 0.0, torch.zeros_like(w), float(self.share.sum())
        rows = max(1, BLOCK // self.x.shape[2])
        for x, share in zip(self.x[0].split(rows), self.share.split(rows, 1)):
            log_p = ((weight @ x.T).double() + bias).log_softmax(0)
            loss -= float((share * log_p).sum())
            off = log_p.exp() * share.sum(0) - share
            slope[0, :-1] += (off.to(x.dtype) @ x).T
            slope[0, -1] += off.sum(1)
        return loss / whole, slope / whole


class Segmenter:
    """A linear layer on the cells of feature maps that are standardised by train; its scores are brought to the size of
    the image bilinearly. The penalty, of those of ``linear``, is the one of the highest mIoU on validation."""

    def __init__(self, train: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor], count: int) -> None:
        maps, label = train
        self.standardise = standardiser(cells(maps))
        problem = SharedRegression(self.standardise(cells(maps)), shares(label, count, tuple(maps.shape[2:])))

        def merit(layer: Any) -> tuple[float, float]:
            self.layer = layer
            said = self(validation[0], tuple(validation[1].shape[1:]))
            return miou(confusion(said, validation[1], count)), 0.0

        self.layer, self.penalty = chosen(problem, merit)

    def __call__(self, maps: Float[Tensor, "samples dim rows columns"], size: tuple[int, ...]) -> Classes:
        """The class of every pixel, at ``size``."""
        return torch.cat([self._named(part, size) for part in maps.split(AT_ONCE)])

    def _named(self, maps: Tensor, size: tuple[int, ...]) -> Classes:
        scores = self.layer.scores(self.standardise(cells(maps)))[0]
        scores = scores.view(len(maps), *maps.shape[2:], -1).permute(0, 3, 1, 2)
        return F.interpolate(scores, size, mode="bilinear", align_corners=False).argmax(1).byte()


class Dense(Protocol):
    """Mean intersection over union and share of right pixels of a linear layer on the feature map (as DINOv2 is judged,
    arXiv:2304.07193, section 7.4), over all test images together. Raw features are the pixels under each cell.

    Raises:
        InputError: samples without masks, or an encoder without a feature map.
    """

    name = "dense"

    def parts(self, name: str, features: Features) -> Any:
        found = []
        for part, split in features.splits().items():
            source = split.source
            if source is None or source.segmentation is None:
                raise InputError(
                    f"dense needs classes of pixels; the {part} samples have none. Give images with a column mask."
                )
            found.append(Segmented(split.x, source.segmentation, source))
        if (found[0].label == NO_CLASS).all():
            raise InputError(
                "dense needs pixels with a class; no train sample has one. Look at the column mask."
            )
        return tuple(found)

    def answer(self, case: Case) -> Classes:
        if case.maps is None or case.source is None:
            raise InputError(
                "dense needs a feature map of the samples themselves; give data, not vectors made elsewhere."
            )
        train, validation = case.train, case.validation
        known = torch.cat([train.label.unique(), validation.label.unique()])
        count = int(known[known != NO_CLASS].max()) + 1
        fitted = Segmenter(
            (case.maps(train.source), train.label), (case.maps(validation.source), validation.label), count
        )
        return fitted(case.maps(case.source), tuple(train.label.shape[1:]))

    def measure(self, answer: Classes, label: Classes, seed: int) -> Rows:
        known = torch.cat([answer.unique(), label[label != NO_CLASS].unique()])
        tables = confusion(answer, label, int(known.max()) + 1)
        return {
            ("dense", "miou"): Figure.resampled(miou, tables, seed=seed),
            ("dense", "pixel accuracy"): Figure.resampled(right, tables, seed=seed),
        }


def cells(maps: Float[Tensor, "samples dim rows columns"]) -> Float[Tensor, "cells dim"]:
    return maps.flatten(2).transpose(1, 2).flatten(0, 1)


def shares(label: Classes, count: int, grid: tuple[int, ...]) -> Float[Tensor, "cells classes"]:
    """Of the pixels of every cell, the share of each class."""
    parts = []
    for part in label.split(AT_ONCE):
        one = torch.stack([part == c for c in range(count)], 1).float()
        parts.append(cells(F.adaptive_avg_pool2d(one, (grid[0], grid[1]))))
    return torch.cat(parts)


def confusion(said: Classes, label: Classes, count: int) -> Int[Tensor, "samples true named"]:
    """How many pixels of each class were named what, in every image."""

    def each() -> Iterator[Tensor]:
        for x, y in zip(said.long(), label.long()):
            known = y != NO_CLASS
            yield (y[known] * count + x[known]).bincount(minlength=count**2).view(count, count)

    return torch.stack(list(each()))


def miou(tables: Int[Tensor, "samples true named"]) -> float:
    """Mean over classes of the pixels that are rightly named so, by those that are or are named so; classes that occur
    in neither are left out. NaN where there is none."""
    table = tables.sum(0).double()
    hit, union = table.diagonal(), table.sum(0) + table.sum(1) - table.diagonal()
    return float((hit / union)[union > 0].mean())


def right(tables: Int[Tensor, "samples true named"]) -> float:
    """Share of the pixels that are rightly named."""
    table = tables.sum(0).double()
    return float(table.diagonal().sum() / table.sum())


PROTOCOL = Dense()
