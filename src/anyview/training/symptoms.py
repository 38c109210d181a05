"""What ails a run whose encoder has not collapsed: read off its figures at the end, and said in words.

Bounds lie between what runs broken on purpose ended with and what whole ones did (docs/collapse.md). Each symptom
is a change since before training too, so that a run too short to have learned anything has none.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Figures = Mapping[str, float]


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
