"""SimSiam: predict the other view, and stop the gradient there."""

import torch
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders import heads
from anyview.encoders.base import Encoder
from anyview.methods.projected import Projected
from anyview.objectives.regression import negative_cosine
from anyview.register import system
from anyview.views.base import Views


@system(
    "simsiam",
    title="Exploring Simple Siamese Representation Learning",
    paper="arXiv:2011.10566",
    year=2021,
    kind="method",
)
class SimSiam(Projected):
    """Each view predicts the projection of the other, which gets no gradient (equation 2).

    No teacher, no negatives: without the stop-gradient, or without the predictor, it collapses to a point
    (sections 4.1 and 4.2). The paper keeps the predictor's learning rate from decaying; here all decay alike.

    Args:
        out_dim: width of the projector, all three layers (2,048 in the paper); the predictor is a quarter as wide
            inside.
        predictor: the switch is the paper's ablation (table 1).
        stop_gradient: the switch is the paper's ablation (figure 2).
    """

    needs = "two_views"
    couples_samples = False
    collapse_hint = "With simsiam this is usually a learning rate too high or a missing predictor"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        out_dim: int = 512,
        predictor: bool = True,
        stop_gradient: bool = True,
    ) -> None:
        super().__init__(encoder, views)
        self.stop_gradient = stop_gradient
        self.projector = heads.projector(encoder.dim, out_dim, out_dim, layers=3, last_norm=True)
        self.predictor = heads.predictor(out_dim, max(1, out_dim // 4)) if predictor else nn.Identity()

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        z = self.encode(views, self.project)
        return {"prediction": torch.stack([self.predictor(view) for view in z]), "target": z}

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor | dict[str, Tensor]:
        return negative_cosine(prediction, target, self.stop_gradient)
