"""I-VNE+: views agree, and the spectrum of the batch keeps its entropy."""

from torch import Tensor

from anyview.encoders.base import Encoder
from anyview.encoders.heads import projector
from anyview.methods.projected import Projected
from anyview.objectives.entropy import i_vne
from anyview.register import system
from anyview.views.base import Views


@system(
    "vne",
    title="VNE: An Effective Method for Improving Deep Representation by Manipulating Eigenvalue Distribution",
    paper="arXiv:2304.01434",
    year=2023,
    kind="method",
)
class VNE(Projected):
    """Every global crop agrees with all other crops, and the von Neumann entropy of each crop's batch is made large
    (section 4.4). The entropy alone prevents collapse: no negatives, predictor, teacher or stop-gradient.

    As a regulariser of any other loss it is ``anyview.objectives.entropy.von_neumann_entropy``.

    Args:
        hidden_dim: width of the projector inside (three layers); None is the encoder's, but 512 at least.
        out_dim: width of the projections.
        alignment: weight of the agreement; None is the logarithm of the batch, as the paper's 4.16 is for 64.
        entropy: weight of the entropy; 0 collapses.
    """

    needs = "multi_crop"
    couples_samples = True
    collapse_hint = "With vne this is usually an entropy weight too small beside the alignment"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        hidden_dim: int | None = None,
        out_dim: int = 256,
        alignment: float | None = None,
        entropy: float = 1.0,
    ) -> None:
        super().__init__(encoder, views)
        self.alignment, self.entropy = alignment, entropy
        hidden = hidden_dim or max(512, encoder.dim)
        self.projector = projector(encoder.dim, hidden, out_dim, layers=3, last_norm=True)

    def loss(self, z: Tensor) -> dict[str, Tensor]:
        return i_vne(z, self.alignment, self.entropy)
