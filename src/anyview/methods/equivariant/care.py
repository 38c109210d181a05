"""CARE: SimCLR in which every augmentation turns the sphere of embeddings as a whole."""

from typing import Any

from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.methods.contrastive.simclr import SimCLR
from anyview.objectives.alignment import soft_uniformity
from anyview.objectives.contrastive import nt_xent
from anyview.objectives.equivariance import rotation_equivariance
from anyview.register import system
from anyview.views.base import Views


@system(
    "care",
    title="Structuring Representation Geometry with Rotationally Equivariant Contrastive Learning",
    paper="arXiv:2306.13924",
    year=2024,
    kind="method",
)
class CARE(SimCLR):
    """Beside the two views of SimCLR there are two more, each made by one transformation for all samples of a group.
    The products of embeddings within a group must be the same under both: then a rotation leads from one to the
    other, though it is never estimated. The contrast keeps the rotations small, and spreads the embeddings.

    ``anyview.analysis.rotation.best_rotation`` finds the rotation of a transformation and how far it fits.

    Args:
        equivariance: weight of the rotations. The default is the paper's 0.03 for groups of 16, whose sum over
            partners is a mean here.
        align: whether views of a sample attract each other. Without, the embeddings are only spread, and rotations
            may be large (the paper's ablation).
        **options: those of ``SimCLR``.
    """

    needs = "shared_views"
    couples_samples = True
    collapse_hint = "With care this is usually an equivariance weight far above that of the contrast"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        equivariance: float = 0.9,
        align: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(encoder, views, **options)
        self.equivariance, self.align = equivariance, align

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        z = self.encode(views, self.project)  # one pass, one batch norm for all four
        return {"z": z[:2], "shared": z[2:], "group": views[0].meta["group"][None]}

    def loss(  # type: ignore[override]
        self, z: Tensor, shared: Tensor, group: Tensor
    ) -> dict[str, Tensor]:
        contrast = nt_xent if self.align else soft_uniformity
        rotation = rotation_equivariance(shared, group[0])
        return {"contrast": contrast(z, self.temperature), "equivariance": self.equivariance * rotation}
