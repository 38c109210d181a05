"""What ails a run or an encoder: read off its figures, and said in words.

Bounds lie between what runs broken on purpose ended with and what whole ones did (docs/collapse.md). Each symptom
is a change since before training too, so that a run too short to have learned anything has none; of an encoder made
elsewhere its own network with fresh weights tells what was there before, where there is one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Figures = Mapping[str, float]


#: figures that a collapse lowers, and below what
FALLEN = (("rank", 2.0), ("rank_z", 2.0), ("std", 0.1), ("std_z", 0.1))
POINT = 1e-3  #: deviation below which all is one point
FEW = 0.05  #: share of the directions that there could be
SHARED = 0.5  #: share of the samples, or dimensions, that is too many


def collapsed(first: Figures, last: Figures) -> bool:
    """A point or a line, in the encoder's output or in what is compared: hardly any deviation, or fewer than two
    directions in use, and clearly less than before training. (An untrained transformer may start with little of
    either: its mean dominates. That is not a collapse.)"""
    point = min(last["std"], last.get("std_z", math.inf)) < POINT
    return point or any(
        last[figure] < min(bound, 0.75 * first[figure])
        for figure, bound in FALLEN
        if figure in last and figure in first
    )


def of_embedding(first: Figures, last: Figures) -> list[str]:
    """Symptoms of an embedding alone, each a clause.

    Args:
        first: figures of the same network with fresh weights; empty where there is none, and then bounds alone decide.
        last: figures of the encoder: those of ``figures_of``, the shares of dimensions that are ``constant`` and of
            samples that have a ``twin``.
    """

    def fell(figure: str) -> bool:
        return figure not in first or last[figure] < 0.75 * first[figure]

    if last["std"] < POINT:
        return [f"every sample has the same embedding (deviation {last['std']:.1g} of 1)"]
    said, wide = [], last["rank_of"] >= 8
    if last["std"] < 0.1 and fell("std"):
        said.append(
            f"it points one way for all samples (deviation {last['std']:.2f} of 1): cosines hardly differ"
        )
    if wide and last["rank"] < 2 and fell("rank"):
        said.append(f"it varies along a line (effective rank {last['rank']:.1f} of {last['rank_of']:.0f})")
    elif wide and last["rank"] < FEW * last["rank_of"] and fell("rank"):
        said.append(f"few directions are in use (effective rank {last['rank']:.1f} of {last['rank_of']:.0f})")
    if last["constant"] > max(SHARED, 1.5 * first.get("constant", 0)):
        said.append(f"{100 * last['constant']:.0f} % of its dimensions are the same for all samples")
    if last["twin"] > max(SHARED, 1.5 * first.get("twin", 0)):
        said.append(f"{100 * last['twin']:.0f} % of the samples share a point with another one")
    return said


@dataclass
class Losses:
    """The first loss that was logged, and a running mean of the last ones."""

    first: float | None = None
    recent: float = math.nan

    def note(self, loss: float) -> None:
        if self.first is None:
            self.first = self.recent = loss
        self.recent += 0.3 * (loss - self.recent)

    @property
    def left(self) -> float:
        """What is left of the first loss, as a share; NaN where that was not above 0."""
        return self.recent / self.first if self.first is not None and self.first > 0 else math.nan


@dataclass
class Symptoms:
    """Symptoms in what the loss compares, where that is one vector a view and sample.

    Attributes:
        couples: whether the method compares samples with each other, so that its embeddings must differ.
    """

    couples: bool = False
    losses: Losses = field(default_factory=Losses)

    def found(self, first: Figures, last: Figures) -> list[str]:
        """Symptoms, each a clause; none before training, or where no vectors are compared.

        Args:
            first: figures before training.
            last: figures now.
        """
        if "std_z" not in first or "std_z" not in last:
            return []
        std, dims, rank, left = last["std_z"], last["dims_z"], last["rank_z"], self.losses.left
        growth = last["size_z"] / max(first["size_z"], 1e-12)
        said = []
        if self.couples and dims < 1.3 and dims - 1 < 0.5 * (first["dims_z"] - 1):
            said.append(
                f"it varies in one direction ({dims:.2f} dimensions share its variance): a dimensional collapse of "
                "the head"
            )
        if std < 0.2 and std < 0.75 * first["std_z"]:
            said.append(
                f"it points one way for all samples (deviation {std:.2f} of 1, {first['std_z']:.2f} before training), "
                "as with a temperature too low, labels that are all the same or a missing predictor"
            )
        if self.couples and growth > 1000 and rank < 0.75 * first["rank_z"]:
            said.append(
                f"it grew {growth:,.0f}-fold and has fewer directions than before training (effective rank {rank:.1f}, "
                f"{first['rank_z']:.1f} then), as with a learning rate too high"
            )
        if 0 <= left < 0.02 and std < 0.5:
            said.append(
                f"the loss fell to {100 * left:.1g} % of its first while samples hardly differ (deviation {std:.2f} of "
                "1): an answer that is the same for all satisfies it"
            )
        return said

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"first": self.losses.first, "recent": self.losses.recent}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.losses = Losses(**state)
