"""SupCon: views of all samples of your class are your partners."""

from typing import Any

from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.errors import InputError
from anyview.methods.contrastive.simclr import SimCLR
from anyview.objectives.supervised import supcon
from anyview.register import system
from anyview.views.base import Views


@system(
    "supcon",
    title="Supervised Contrastive Learning",
    paper="arXiv:2004.11362",
    year=2020,
    kind="method",
)
class SupCon(SimCLR):
    """SimCLR with labels: each view picks all views of its own class among all other views of the batch.

    Two stages, of which this is the first: encoder and head are trained by the contrast, then the head is thrown
    away and a linear classifier fitted to the frozen encoder (section 3.1), as ``anyview evaluate`` does. Samples
    whose label is unknown have their own views as partners, as in SimCLR.

    Args:
        temperature: of the softmax.
        inside: average the positives inside the logarithm (L_in), the paper's worse form (table 1).
        **options: those of ``SimCLR``.
    """

    couples_samples = True
    uses_labels = True
    collapse_hint = "With supcon this is usually a learning rate too high, or labels that are all the same"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        temperature: float = 0.1,
        inside: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(encoder, views, temperature=temperature, **options)
        self.inside = inside

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        label = views[0].label
        if label is None or label.is_floating_point():
            raise InputError("supcon learns from classes, and these samples have none")
        return super().forward(views) | {"label": label[None]}

    def loss(self, z: Tensor, label: Tensor) -> Tensor:  # type: ignore[override]
        return supcon(z, label[0], temperature=self.temperature, inside=self.inside)
