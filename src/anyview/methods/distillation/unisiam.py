"""UniSiam: SimSiam, and other samples kept away."""

from torch import Tensor

from anyview.encoders.base import Encoder
from anyview.methods.distillation.simsiam import SimSiam
from anyview.objectives.alignment import soft_uniformity
from anyview.objectives.regression import negative_cosine
from anyview.register import system
from anyview.views.base import Views


@system(
    "unisiam",
    title="Self-Supervision Can Be a Good Few-Shot Learner",
    paper="arXiv:2207.09176",
    year=2022,
    kind="method",
)
class UniSiam(SimSiam):
    """SimSiam's alignment and a uniformity term on the projections, with gradients through both sides of a pair:
    an estimate of mutual information whose bias does not grow when batches are small.

    The paper's views also have RandAugment and vertical flips, which are left to the options of the views here, as
    is its distillation from a larger teacher.

    Args:
        out_dim: width of the projector, all three layers; the predictor is a quarter as wide inside.
        uniformity: weight of the term; 0 is SimSiam.
        temperature: of the term; cosines are divided by it, and 2 is soft.
    """

    couples_samples = True
    collapse_hint = "With unisiam this is usually a learning rate too high or a uniformity weight too low"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        out_dim: int = 512,
        uniformity: float = 0.1,
        temperature: float = 2.0,
    ) -> None:
        super().__init__(encoder, views, out_dim=out_dim)
        self.uniformity, self.temperature = uniformity, temperature

    def loss(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {
            "alignment": negative_cosine(prediction, target),
            "uniformity": self.uniformity * soft_uniformity(target, self.temperature),
        }
