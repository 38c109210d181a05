"""DCL: contrast without the positive in the denominator."""

from typing import Any

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
        temperature: of the softmax.
        weighted: DCLW: positives that agree less than others weigh more.
        sigma: of those weights; lower tells pairs apart more sharply.
        **options: those of ``SimCLR``.
    """

    couples_samples = True
    collapse_hint = "With dcl this is usually a learning rate too high or a temperature too low"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        temperature: float = 0.1,
        weighted: bool = False,
        sigma: float = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(encoder, views, temperature=temperature, **options)
        self.sigma = sigma if weighted else None

    def loss(self, z: Tensor) -> Tensor:
        return dcl(z, self.temperature, self.sigma)
