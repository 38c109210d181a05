"""SIE: one half of an embedding stays as it is, the other moves as the sample was moved."""

import math

import torch
from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.heads import projector
from anyview.encoders.hypernetwork import ConcatPredictor, HyperLinear
from anyview.errors import InputError, unknown
from anyview.methods.base import Method
from anyview.objectives.equivariance import sie
from anyview.register import system
from anyview.views.base import Views

PREDICTORS = {"hypernetwork": HyperLinear, "mlp": ConcatPredictor}


@system(
    "sie",
    title="Self-Supervised Learning of Split Invariant Equivariant Representations",
    paper="arXiv:2302.10283",
    year=2023,
    kind="method",
)
class SIE(Method):
    """VICReg on both halves together; the invariant halves of two views agree, and the equivariant half of the first
    is taken to that of the second by a matrix that a hypernetwork makes from how the views differ.

    How they differ is a point on the circle, at an angle that is the difference of the two views' parameters, second
    less first: a difference of 1 is a quarter of a turn, or a whole one where 0 and 1 are the same (rotations to all
    sides).

    Args:
        equivariant_dim: values of the encoder's output, its last, that move; None is half of them.
        out_dim: width of the two expanders together, all three layers, shared as the encoder's output is; None is four
            times the encoder's (2,048 for 512).
        predictor: ``hypernetwork``, or the ``mlp`` that sees the difference as one more input (the paper's ablation).
        similarity: weight of the distances.
        equivariance: share of the equivariant distance in it.
        variance: weight of the hinge on the deviation.
        covariance: weight of the squared off-diagonal covariances.
    """

    needs = "parameter_views"
    couples_samples = True
    view_defaults = {"crop_scale": (1.0, 1.0), "flip": 0.0, "jitter": 0.0, "grayscale": 0.0}
    collapse_hint = "With sie this is usually a variance weight far below the similarity weight"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        equivariant_dim: int | None = None,
        out_dim: int | None = None,
        predictor: str = "hypernetwork",
        similarity: float = 10.0,
        equivariance: float = 0.45,
        variance: float = 10.0,
        covariance: float = 1.0,
    ) -> None:
        super().__init__(encoder, views)
        moving = encoder.dim // 2 if equivariant_dim is None else equivariant_dim
        if not 0 < moving < encoder.dim:
            raise InputError(
                f"sie splits the encoder's {encoder.dim} values in two; equivariant_dim cannot be {moving}"
            )
        if predictor not in PREDICTORS:
            raise unknown("predictor", predictor, PREDICTORS)
        self.still, self.circle = encoder.dim - moving, 2 * math.pi if views.cyclic else math.pi / 2
        self.weights = {
            "similarity": similarity,
            "equivariance": equivariance,
            "variance": variance,
            "covariance": covariance,
        }
        widths = [max(1, (out_dim or 4 * encoder.dim) * part // encoder.dim) for part in (self.still, moving)]
        self.still_expander = projector(self.still, widths[0], widths[0], layers=3)
        self.moving_expander = projector(moving, widths[1], widths[1], layers=3)
        self.predictor = PREDICTORS[predictor](widths[1], widths[1], 2)

    def difference(self, views: list[Batch]) -> Tensor:
        """``(cos, sin)`` of how far the second view's parameter is from the first's, ``(batch, 2)``."""
        first, second = (view.meta["parameter"] for view in views)
        angle = self.circle * (second - first)
        return torch.stack([angle.cos(), angle.sin()], 1)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        h = self.encode(views)
        halves = h[..., : self.still], h[..., self.still :]
        still, moving = (
            expander(half.flatten(0, 1)).unflatten(0, h.shape[:2])
            for expander, half in zip((self.still_expander, self.moving_expander), halves)
        )
        predicted = self.predictor(moving[0], self.difference(views))
        return {"invariant": still, "equivariant": moving, "predicted": predicted[None]}

    def loss(self, invariant: Tensor, equivariant: Tensor, predicted: Tensor) -> dict[str, Tensor]:
        return sie(invariant, equivariant, predicted[0], **self.weights)
