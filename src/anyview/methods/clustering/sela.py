"""SeLa: label the whole dataset in equal shares, learn the labels, label again."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.errors import InputError
from anyview.methods.base import Method
from anyview.objectives.prototypes import labelled
from anyview.objectives.transport import transport
from anyview.register import system
from anyview.targets.labels import Labels, scaled_clusters
from anyview.views.base import Views


@system(
    "sela",
    title="Self-labelling via simultaneous clustering and representation learning",
    paper="arXiv:1911.05371",
    year=2020,
    kind="method",
)
class SeLa(Method):
    """Cross-entropy on labels of its own, and from time to time the labels that fit its predictions best among those
    that give every cluster an equal share of the samples (``transport``). Both steps lower the same loss (equation 4);
    without the shares one cluster would take all.

    Several linear heads on one encoder have each a labelling of their own. Labels come of the whole samples, in eval
    mode. They change at most once an epoch: moments are spaced by squares, as in the official code, so that most are
    early and a run with more moments than epochs changes them in nearly every one.

    Args:
        clusters: of each head; None grows with the root of the samples, up to the paper's 3,000.
        labellings: heads.
        sharpness: of the assignment; 25 in the paper, 10 for CIFAR.
        moments: at which labels are made anew.
        balanced: without it, samples take the cluster they are most likely in, and it collapses: the ablation.
        samples: of the dataset; None follows the data.
    """

    needs = "multi_view"
    couples_samples = False
    view_defaults = {"count": 1}
    collapse_hint = "With sela this is usually a learning rate too high or moments too few"
    moment: Tensor

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        clusters: int | None = None,
        labellings: int = 10,
        sharpness: float = 25.0,
        moments: int = 100,
        balanced: bool = True,
        samples: int | None = None,
    ) -> None:
        super().__init__(encoder, views)
        if moments < 1:
            raise InputError(f"sela labels the data at one moment or more, not {moments}")
        self.sharpness, self.moments, self.balanced = sharpness, moments, balanced
        self.labels = Labels(samples, 3000 if clusters is None else clusters, labellings)
        self.heads = nn.Linear(encoder.dim, labellings * self.labels.clusters)
        self.register_buffer("moment", torch.zeros((), dtype=torch.long))  # the next one

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {"clusters": scaled_clusters(samples, 3000), "samples": samples}

    def logits(self, h: Tensor) -> Tensor:
        return self.heads(h).unflatten(-1, (-1, self.labels.clusters))

    @torch.no_grad()
    def before_epoch(self, embed: Callable[..., Tensor]) -> None:
        passed = (
            int(self.moments * self.progress**0.5) + 1
        )  # moment i is at the share (i / moments)^2 of the run
        if passed <= int(self.moment):
            return
        self.moment.fill_(passed)
        h = embed()
        weight, bias = (
            p.to(h).unflatten(0, (-1, self.labels.clusters)) for p in (self.heads.weight, self.heads.bias)
        )
        for i in range(len(weight)):
            log_p = F.linear(h, weight[i], bias[i]).log_softmax(-1)
            q = transport(log_p, self.sharpness) if self.balanced else log_p
            self.labels.assign(i, q.argmax(1))

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        z = self.logits(self.encode(views))
        return {"logits": z, "label": self.labels(views[0].index).expand(z.shape[:3])}

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return labelled(logits, label)
