"""DIET: name the sample that a view is of."""

from typing import Any

from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.methods.base import Method
from anyview.objectives.indices import index_cross_entropy
from anyview.register import system
from anyview.targets.memory_bank import check_index, one_each
from anyview.views.base import Views


@system(
    "diet",
    title="Occam's Razor for Self Supervised Learning: What is Sufficient to Learn Good Representations?",
    paper="arXiv:2406.10743",
    year=2024,
    kind="method",
)
class DIET(Method):
    """The index of a sample in the data is its class, and one linear layer on the encoder must tell it from a view.

    No pairs of views, no projector, no teacher, and nothing that hangs on the size of the batch. The layer has a row
    for each sample and no bias, and is thrown away. Each row is right once an epoch, so it wants many epochs.

    Args:
        smoothing: share of each target that is spread over all samples. The one setting that matters: without it
            the network learns its samples by heart.
        samples: number of classes; None is the number of samples there are.
    """

    needs = "multi_view"
    couples_samples = False
    view_defaults = {"count": 1}
    collapse_hint = "With diet this is usually a learning rate too high"

    def __init__(
        self, encoder: Encoder, views: Views, *, smoothing: float = 0.8, samples: int | None = None
    ) -> None:
        super().__init__(encoder, views)
        self.smoothing = smoothing
        self.classes = nn.Linear(encoder.dim, one_each(samples, "diet"), bias=False)

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {"samples": samples}

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        index = views[0].index
        check_index(index, self.classes.out_features)
        return {"h": self.encode(views), "index": index}

    def loss(self, h: Tensor, index: Tensor) -> Tensor:
        return index_cross_entropy(h, self.classes.weight, index, self.smoothing)
