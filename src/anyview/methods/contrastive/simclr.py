"""SimCLR: pick your partner among the whole batch."""

from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.heads import projector
from anyview.methods.projected import Projected
from anyview.objectives.contrastive import nt_xent
from anyview.register import system
from anyview.views.base import Views


@system(
    "simclr",
    title="A Simple Framework for Contrastive Learning of Visual Representations",
    paper="arXiv:2002.05709",
    year=2020,
    kind="method",
)
class SimCLR(Projected):
    """Two random views of every sample; each picks its partner among all other views of the batch.

    The negatives are the batch itself: no memory bank, no teacher. The projection head is thrown away, since
    the layer before it transfers better (section 4.2). The loss is NT-Xent, equation 1.

    Args:
        hidden_dim: width of the projection head; None takes the encoder's width, as the paper does, but 512
            at least: a small encoder needs a head that can turn away from it.
        out_dim: width of the embeddings that are compared.
        layers: layers of the projection head: 2 as in the paper, 3 as in version 2, 1 linear, 0 none (its
            ablation in figure 8).
        temperature: of the softmax; lower looks harder at the nearest negatives. 0.1 suits batches of
            thousands, 0.5 those of hundreds (appendix B.7 and B.9).
    """

    needs = "two_views"
    couples_samples = True
    collapse_hint = "With simclr this is usually a learning rate too high or a temperature too low"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        hidden_dim: int | None = None,
        out_dim: int = 128,
        layers: int = 2,
        temperature: float = 0.5,
    ) -> None:
        super().__init__(encoder, views)
        self.temperature = temperature
        self.projector = projector(encoder.dim, hidden_dim or max(512, encoder.dim), out_dim, layers=layers)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        return {"z": self.encode(views, self.project)}

    def loss(self, z: Tensor) -> Tensor:
        return nt_xent(z, temperature=self.temperature)
