"""Debiased contrast: some negatives are of your own class, so take their share out."""

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
        hidden_dim: width of the projection head; None takes the encoder's width, but 512 at least.
        out_dim: width of the embeddings that are compared.
        layers: layers of the projection head.
        temperature: of the softmax.
        prior: how likely two samples are of one class, 0 to below 1: one over the number of classes is a guide;
            0 is SimCLR. Too large, most terms hit their lower bound and carry no gradient.
    """

    couples_samples = True
    collapse_hint = "With debiased-contrastive this is usually a prior too large or a learning rate too high"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        hidden_dim: int | None = None,
        out_dim: int = 128,
        layers: int = 2,
        temperature: float = 0.5,
        prior: float = 0.1,
    ) -> None:
        super().__init__(
            encoder, views, hidden_dim=hidden_dim, out_dim=out_dim, layers=layers, temperature=temperature
        )
        self.prior = prior

    def loss(self, z: Tensor) -> Tensor:
        return debiased_nce(z, self.temperature, self.prior)
