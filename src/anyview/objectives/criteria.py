"""Label-free criteria by name: what an embedding is ranked by when there are no labels to ask.

Those of one embedding take ``(samples, dim)``, those that compare views ``(views, samples, dim)``; all give a
scalar without gradient. None is comparable between encoders of different width, and few between methods.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.objectives import spectrum
from anyview.objectives.agreement import knn_consistency, lidar
from anyview.objectives.alignment import alignment, uniformity


@dataclass(frozen=True)
class Criterion:
    """A figure of embeddings, and which of two figures is the better one."""

    title: str
    measure: Callable[[Tensor], Tensor]
    better: Literal["more", "less", "near 1"]
    views: int = 1  #: how many views of each sample it needs; 1 takes ``(samples, dim)``

    def __call__(self, z: Float[Tensor, "*views samples dim"]) -> float:
        """The figure; NaN for embeddings that are not finite."""
        return float(self.measure(z))

    def merit(self, value: float) -> float:
        """What is larger for a better figure."""
        return {"more": value, "less": -value, "near 1": -abs(value - 1)}[self.better]


@torch.no_grad()
def _alignment(z: Tensor) -> Tensor:
    return alignment(z)


@torch.no_grad()
def _uniformity(z: Tensor) -> Tensor:
    return uniformity(z)


CRITERIA: dict[str, Criterion] = {
    "rankme": Criterion("effective rank (RankMe)", spectrum.rankme, "more"),
    "alpha-req": Criterion("exponent of the spectrum (alpha-ReQ)", spectrum.alpha_req, "near 1"),
    "stable-rank": Criterion("stable rank", spectrum.stable_rank, "more"),
    "participation-ratio": Criterion("participation ratio", spectrum.participation_ratio, "more"),
    "spectrum-decay": Criterion("area under explained variance", spectrum.spectrum_decay, "less"),
    "uniformity": Criterion("uniformity", _uniformity, "less"),
    "lidar": Criterion("effective rank between samples (LiDAR)", lidar, "more", views=10),
    "knn-consistency": Criterion("neighbours that two views share", knn_consistency, "more", views=2),
    "alignment": Criterion("distance of two views", _alignment, "less", views=2),
}
