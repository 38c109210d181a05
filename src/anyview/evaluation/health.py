"""Has an encoder collapsed, whoever trained it? Its embeddings of some data, looked at without labels."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.data.source import Dataset
from anyview.errors import InputError
from anyview.objectives.spectrum import participation_ratio
from anyview.training.health import figures_of
from anyview.training.model import Model
from anyview.training.symptoms import POINT, of_embedding

SAMPLES = 2000  #: embedded at most
FEWEST = 20  #: that figures are taken of
TWIN = 0.01  #: distance of samples that share a point, as a share of the usual one


@dataclass(frozen=True)
class Condition:
    """How the embeddings of an encoder are.

    Attributes:
        figures: by name; see ``docs/evaluation.md``.
        untrained: those of the same network with fresh weights, empty where there is none.
        symptoms: each a clause.
        collapsed: whether they are a point or a line.
        samples: how many were looked at.
        lost: how many of them have an embedding that is not finite, or could not be read.
    """

    figures: dict[str, float]
    untrained: dict[str, float]
    symptoms: list[str]
    collapsed: bool
    samples: int
    lost: int

    @property
    def verdict(self) -> str:
        """One sentence."""
        rank = f"effective rank {self.figures['rank']:.1f} of {self.figures['rank_of']:.0f}"
        if not self.symptoms:
            return f"No sign of collapse ({rank})."
        return f"{'Collapsed' if self.collapsed else 'Not healthy'}: {'; '.join(self.symptoms)}."

    def record(self) -> dict[str, Any]:
        """In JSON's types."""
        return {
            "verdict": self.verdict,
            "collapsed": self.collapsed,
            "symptoms": self.symptoms,
            "samples": self.samples,
            "lost": self.lost,
            "figures": {"pretrained": self.figures}
            | ({"untrained": self.untrained} if self.untrained else {}),
        }


def health(model: Model, data: Any, *, split: str | None = None, seed: int = 0) -> Condition:
    """Looks at the embeddings of up to ``SAMPLES`` samples, beside those of the same network with fresh weights.

    Args:
        data: what to embed, labelled or not.
        split: of data that has several; None takes what would be learned from.
        seed: of the samples that are drawn, and of the fresh weights.

    Raises:
        InputError: for data that cannot be read, fewer than ``FEWEST`` samples, or embeddings none of which is finite.
    """
    dataset: Dataset = model.open_all(data)
    source = dataset.split(split) if split else dataset.train
    pick = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))[:SAMPLES].sort().values
    source = source.take(pick)

    def seen(one: Model) -> Tensor:
        return (
            torch.cat(one.embed_sides(source))
            if one.pairs(source) and one.alike(source)
            else one.embed_source(source)
        )

    x = seen(model)
    finite = x.isfinite().all(1)
    if finite.sum() < FEWEST:
        raise InputError(
            f"{int(finite.sum()):,} of {len(x):,} samples have a finite embedding; health takes {FEWEST} or more"
        )
    figures, untrained = measured(x[finite]), {}
    if model.renewable:
        untrained = measured(seen(model.untrained(source, seed))[finite])
    symptoms = of_embedding(untrained, figures)
    if not finite.all():
        symptoms.append(f"{int((~finite).sum()):,} of {len(x):,} embeddings are not finite")
    fell = bool(symptoms) and (figures["std"] < POINT or figures["rank"] < 2)
    return Condition(figures, untrained, symptoms, fell, len(x), int((~finite).sum()))


def measured(x: Float[Tensor, "samples dim"]) -> dict[str, float]:
    """The figures of embeddings that are finite: ``rank``, ``std``, ``uniformity`` and ``alpha`` as in training,
    ``dims`` that share the variance, the share of dimensions that are ``constant`` and that of samples with a
    ``twin``."""
    size = x.std(0)
    # what varies by rounding only does not vary
    constant = size <= 1e-5 * x.abs().amax(0).clamp(min=1e-3 * float(x.abs().max()))
    apart = torch.cdist(x, x)
    usual = float(apart.sum() / (len(x) * (len(x) - 1)))
    nearest = apart.fill_diagonal_(torch.inf).amin(1)
    figures = figures_of(x) | {
        "dims": float(participation_ratio(x)),
        "constant": float(constant.double().mean()),
        "twin": float((nearest <= TWIN * usual).double().mean()),
    }
    return {name: value if math.isfinite(value) else 0.0 for name, value in figures.items()}  # of a constant
