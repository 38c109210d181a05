"""DCL: contrast without the positive in the denominator."""

from torch import Tensor

from anyview.encoders.base import Encoder
from anyview.methods.contrastive.simclr import SimCLR
from anyview.objectives.contrastive import dcl
from anyview.register import system
from anyview.views.base import Views


@system(
    "dcl",
    title="Decoupled Contrastive Learning",
    paper="arXiv:2110.06848",
    year=2021,
    kind="method",
)
class DCL(SimCLR):
    """SimCLR with the positive taken out of the denominator (section 3), which helps small batches: with it there,
    the gradient vanishes where the positive is closer than the few negatives.

    Args:
        hidden_dim: width of the projection head; None takes the encoder's width, but 512 at least.
        out_dim: width of the embeddings that are compared.
        layers: layers of the projection head.
        temperature: of the softmax.
        weighted: DCLW: positives that agree less than others weigh more.
        sigma: of those weights; lower tells pairs apart more sharply.
    """

    couples_samples = True
    collapse_hint = "With dcl this is usually a learning rate too high or a temperature too low"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        hidden_dim: int | None = None,
        out_dim: int = 128,
        layers: int = 2,
        temperature: float = 0.1,
        weighted: bool = False,
        sigma: float = 0.5,
    ) -> None:
        super().__init__(
            encoder, views, hidden_dim=hidden_dim, out_dim=out_dim, layers=layers, temperature=temperature
        )
        self.sigma = sigma if weighted else None

    def loss(self, z: Tensor) -> Tensor:
        return dcl(z, self.temperature, self.sigma)
