"""Contrastive or not: samples that repel each other, or dimensions, and all that lies between SimCLR and VICReg."""

from torch import Tensor

from anyview.encoders.base import Encoder
from anyview.encoders.heads import projector
from anyview.methods.projected import Projected
from anyview.objectives.duality import Axis, Kernel, Normalise, dual
from anyview.register import system
from anyview.views.base import Views


@system(
    "contrastive-duality",
    title="On the Duality Between Contrastive and Non-Contrastive Self-Supervised Learning",
    paper="arXiv:2206.02574",
    year=2023,
    kind="method",
)
class ContrastiveDuality(Projected):
    """One loss with three choices, whose members are SimCLR, DCL, VICReg and what lies between them (section 4):
    ``anyview.objectives.duality.dual`` lists them. By default VICReg-ctr: VICReg with its batch transposed, so that
    samples repel each other and not dimensions.

    ``anyview.analysis.duality.criteria`` gives the two criteria of a batch and how far their identity holds.

    Args:
        axis: what repels each other: ``samples`` (contrastive) or ``dimensions``.
        kernel: how: ``square``, ``abs``, or ``exp`` (log-sum-exp) of the product, its square (``exp_square``) or its
            size (``exp_abs``).
        normalise: ``cosine`` (unit rows) or ``centre`` (covariances, with VICReg's hinge on the deviation).
        temperature: of the exponential kernels; each member needs its own.
        coupled: with ``cosine``, whether the positive stands among those that repel (SimCLR) or not (DCL).
        out_dim: width of the embeddings, and of the projector's three layers; None is four times the encoder's.
        invariance: weight of the agreement of views; None is 1 with ``cosine`` and 25 with ``centre``.
        variance: weight of the hinge.
        repulsion: weight of the repulsion.
    """

    needs = "two_views"
    couples_samples = True
    collapse_hint = "With contrastive-duality this is usually a temperature that does not suit the kernel"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        axis: Axis = "samples",
        kernel: Kernel = "exp",
        normalise: Normalise = "centre",
        temperature: float = 0.1,
        coupled: bool = True,
        out_dim: int | None = None,
        invariance: float | None = None,
        variance: float = 25.0,
        repulsion: float = 1.0,
    ) -> None:
        super().__init__(encoder, views)
        self.axis: Axis = axis
        self.kernel: Kernel = kernel
        self.normalise: Normalise = normalise
        self.temperature, self.coupled = temperature, coupled
        self.invariance, self.variance, self.repulsion = invariance, variance, repulsion
        width = out_dim or 4 * encoder.dim
        self.projector = projector(encoder.dim, width, width, layers=3)

    def loss(self, z: Tensor) -> dict[str, Tensor]:
        return dual(
            z,
            self.axis,
            self.kernel,
            self.normalise,
            self.temperature,
            self.coupled,
            invariance=self.invariance,
            variance=self.variance,
            weight=self.repulsion,
        )
