"""VICReg: agree, keep every dimension alive, and keep dimensions independent."""

from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.heads import projector
from anyview.methods.base import Method
from anyview.objectives.variance import vicreg
from anyview.register import system
from anyview.views.base import Views


@system(
    "vicreg",
    title="VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning",
    paper="arXiv:2105.04906",
    year=2022,
    kind="method",
)
class VICReg(Method):
    """Three terms on the expanded embeddings of two views (equation 6).

    Invariance is the distance between the views of a sample; variance a hinge that keeps the deviation of
    every dimension above one; covariance pushes the dimensions apart. Neither teacher nor negatives.

    Args:
        out_dim: width of the expander, all three layers; None is four times the encoder's (8,192 for 2,048).
        invariance: weight of the distance between views.
        variance: weight of the hinge on the deviation.
        covariance: weight of the squared off-diagonal covariances.
    """

    needs = "two_views"
    couples_samples = True
    collapse_hint = "With vicreg this is usually a variance weight far below the invariance weight"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        out_dim: int | None = None,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
    ) -> None:
        super().__init__(encoder, views)
        self.weights = {"invariance": invariance, "variance": variance, "covariance": covariance}
        width = out_dim or 4 * encoder.dim
        self.expander = projector(encoder.dim, width, width, layers=3)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        return {"z": self.encode(views, lambda x: self.expander(self.encoder(x)))}

    def loss(self, z: Tensor) -> dict[str, Tensor]:
        return vicreg(z, **self.weights)
