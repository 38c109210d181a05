"""Debiased contrast: some negatives are of your own class, so take their share out."""

from typing import Any

from torch import Tensor

from anyview.encoders.base import Encoder
from anyview.methods.contrastive.simclr import SimCLR
from anyview.objectives.debiased import debiased_nce
from anyview.register import system
from anyview.views.base import Views


@system(
    "debiased-contrastive",
    title="Debiased Contrastive Learning",
    paper="arXiv:2007.00224",
    year=2020,
    kind="method",
)
class DebiasedContrastive(SimCLR):
    """SimCLR whose sum over negatives is corrected for those of the anchor's own class (equation 8).

    The batch's other samples are drawn from all classes. Their mean, less ``prior`` times the mean over the
    anchor's own views, estimates what true negatives would give; no label is read. Nothing else changes.

    Args:
        prior: how likely two samples are of one class, 0 to below 1: one over the number of classes is a guide;
            0 is SimCLR. Too large, most terms hit their lower bound and carry no gradient.
        **options: those of ``SimCLR``.
    """

    couples_samples = True
    collapse_hint = "With debiased-contrastive this is usually a prior too large or a learning rate too high"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        prior: float = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(encoder, views, **options)
        self.prior = prior

    def loss(self, z: Tensor) -> Tensor:
        return debiased_nce(z, self.temperature, self.prior)
