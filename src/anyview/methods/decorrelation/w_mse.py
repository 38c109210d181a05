"""W-MSE: whiten the batch, then let views agree."""

from typing import Any

from torch import Tensor

from anyview.encoders.base import Encoder
from anyview.encoders.heads import projector
from anyview.methods.projected import Projected
from anyview.objectives.whitening import w_mse
from anyview.register import system
from anyview.views.base import Views


@system(
    "w-mse",
    title="Whitening for Self-Supervised Representation Learning",
    paper="arXiv:2007.06346",
    year=2021,
    kind="method",
)
class WMSE(Projected):
    """The projections of each view are whitened over sub-batches, and views agree there (equation 6): a batch that
    is round cannot be a point, so nothing else keeps views apart. No negatives, teacher or stop-gradient.

    Two positives, as in W-MSE 2.

    Args:
        hidden_dim: width of the projection head inside; None is twice the encoder's width, but 512 at least (1,024
            for 512 in the paper).
        out_dim: width of the embeddings that are whitened, half a sub-batch. None is 64, but at most half of the
            batch: a covariance needs more samples than dimensions.
        eps: share of the mean variance that is mixed into the covariance, for directions without any.
    """

    needs = "two_views"
    couples_samples = True
    collapse_hint = "With w-mse this is usually a batch too small for the width of the embeddings"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        hidden_dim: int | None = None,
        out_dim: int | None = None,
        eps: float = 1e-4,
    ) -> None:
        super().__init__(encoder, views)
        self.eps = eps
        self.out_dim = out_dim or 64
        self.projector = projector(
            encoder.dim, hidden_dim or max(512, 2 * encoder.dim), self.out_dim, last_bias=False
        )

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {"out_dim": max(2, min(64, batch_size // 2))}

    def loss(self, z: Tensor) -> Tensor:
        return w_mse(z, 2 * self.out_dim, self.eps)
