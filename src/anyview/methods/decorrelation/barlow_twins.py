"""Barlow Twins: what one view says in a dimension the other says too, and no other dimension does."""

from torch import Tensor

from anyview.encoders.base import Encoder
from anyview.encoders.heads import projector
from anyview.methods.projected import Projected
from anyview.objectives.variance import barlow_twins
from anyview.register import system
from anyview.views.base import Views


@system(
    "barlow-twins",
    title="Barlow Twins: Self-Supervised Learning via Redundancy Reduction",
    paper="arXiv:2103.03230",
    year=2021,
    kind="method",
)
class BarlowTwins(Projected):
    """The cross-correlation of the two views over the batch is pulled towards the identity (equation 1).

    The diagonal makes views agree, the rest takes redundancy out of the dimensions. Wide embeddings help it, large
    batches do not (figures 2 and 4).

    Args:
        out_dim: width of the projector, all three layers; None is four times the encoder's (8,192 for 2,048).
        lambd: weight of the off-diagonal terms.
    """

    needs = "two_views"
    couples_samples = True
    view_defaults = {"asymmetric": True}
    collapse_hint = "With barlow-twins this is usually a learning rate too high"

    def __init__(
        self, encoder: Encoder, views: Views, *, out_dim: int | None = None, lambd: float = 0.0051
    ) -> None:
        super().__init__(encoder, views)
        self.lambd = lambd
        width = out_dim or 4 * encoder.dim
        self.projector = projector(encoder.dim, width, width, layers=3, last_bias=False)

    def loss(self, z: Tensor) -> Tensor:
        return barlow_twins(z, self.lambd)
