"""NNCLR: your partner is whoever was nearest to you among those seen lately."""

from typing import Any

import torch
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders import heads
from anyview.encoders.base import Encoder
from anyview.methods.projected import Projected
from anyview.objectives.queries import in_batch_info_nce
from anyview.register import system
from anyview.targets.queue import Queue, scaled_length
from anyview.views.base import Views


@system(
    "nnclr",
    title="With a Little Help from My Friends: Nearest-Neighbor Contrastive Learning of Visual Representations",
    paper="arXiv:2104.14548",
    year=2021,
    kind="method",
)
class NNCLR(Projected):
    """The nearest neighbour of one view, in a support set of past projections, must find the prediction of the
    other view among those of the batch (equation 3), symmetrised. Positives so are of other samples too.

    The support set is a queue of the first view's projections, filled after each step. Neighbours carry no
    gradient; it goes through the predictions alone. While the set is empty a view stands for itself.

    Args:
        hidden_dim: width of projector and predictor inside; None is twice the encoder's width, but 512 at least.
        out_dim: width of what is compared.
        temperature: of the softmax.
        queue_length: of the support set. None is a half of the samples, at most the paper's 98,304.
        predictor: the switch is an ablation of the paper's.
        neighbours: without them a view stands for itself, without gradient: the ablation.
    """

    needs = "two_views"
    couples_samples = True
    collapse_hint = "With nnclr this is usually a support set that is too small or a learning rate too high"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        hidden_dim: int | None = None,
        out_dim: int = 256,
        temperature: float = 0.1,
        queue_length: int | None = None,
        predictor: bool = True,
        neighbours: bool = True,
    ) -> None:
        super().__init__(encoder, views)
        hidden = hidden_dim or max(512, 2 * encoder.dim)
        self.temperature, self.neighbours = temperature, neighbours
        self.projector = heads.projector(encoder.dim, hidden, out_dim, layers=3, last_norm=True)
        self.predictor = heads.predictor(out_dim, hidden) if predictor else nn.Identity()
        self.queue = Queue(98304 if queue_length is None else queue_length, out_dim)
        self.recent = torch.empty(0, out_dim)  # first views of the last step's whole batch

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {"queue_length": scaled_length(samples, batch_size, 1 / 2, 98304)}

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        z = self.encode(views, self.project)
        return {"z": z.detach(), "prediction": torch.stack([self.predictor(view) for view in z]).flip(0)}

    def loss(self, z: Tensor, prediction: Tensor) -> Tensor:
        self.recent = z[0].detach()
        positive = self.queue.nearest(z) if self.neighbours else z.detach()
        return in_batch_info_nce(positive, prediction, self.temperature)

    def after_step(self) -> None:
        self.queue.push(self.recent)
