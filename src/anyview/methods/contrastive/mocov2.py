"""MoCo v2: find your key, made by a slower copy of yourself, in a queue of others' keys."""

from typing import Any

import torch
from torch import Tensor

from anyview.data.batch import Batch, payload_shape
from anyview.encoders.base import Encoder
from anyview.encoders.heads import projector
from anyview.methods.projected import Taught
from anyview.objectives.queries import info_nce
from anyview.register import system
from anyview.targets.ema import EMATeacher, scaled_momentum
from anyview.targets.queue import Queue, scaled_length
from anyview.views.base import Views


@system(
    "mocov2",
    title="Improved Baselines with Momentum Contrastive Learning",
    paper="arXiv:2003.04297",
    year=2020,
    kind="method",
)
class MoCoV2(Taught):
    """The first view is the query, the second the key, made by an average of encoder and head. The negatives are
    keys of batches before, held in a queue: many, whatever the size of the batch (MoCo, arXiv:1911.05722, section
    3.2; its second version has a head, stronger views and a higher temperature).

    A batch's own keys enter the queue after the step. The queue starts with random vectors, as in the official
    code. MoCo shuffles samples among processes, so that batch norm cannot tell a query's key by what their batches
    share. That is left out: it has nothing to shuffle among on one process, and in groups of one batch it cost
    more than it gained on small images.

    Args:
        hidden_dim: width of the head; None takes the encoder's width, as the paper does, but 512 at least.
        out_dim: width of queries and keys.
        temperature: of the softmax.
        momentum: of the key encoder, constant. None scales with the data: it remembers half an epoch, but 100 steps at
            least, since keys of a queue must agree, and the paper's 1,000 (0.999) at most.
        queue_length: negatives. None is an eighth of the samples, at most the paper's 65,536.
        symmetric: use each view as query and as key, for twice the work. Views of two kinds (an image and its
            caption) always are: each has an encoder of its own to train.
    """

    needs = "two_views"
    couples_samples = True
    collapse_hint = (
        "With mocov2 this is usually a key encoder that moves too fast, or keys told by batch statistics"
    )

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        hidden_dim: int | None = None,
        out_dim: int = 128,
        temperature: float = 0.2,
        momentum: float | None = None,
        queue_length: int | None = None,
        symmetric: bool = False,
    ) -> None:
        super().__init__(encoder, views)
        self.temperature, self.symmetric = temperature, symmetric
        self.momentum = 0.999 if momentum is None else momentum
        self.projector = projector(encoder.dim, hidden_dim or max(512, encoder.dim), out_dim, norm="none")
        self.teacher = EMATeacher(self.averaged())
        self.queue = Queue(65536 if queue_length is None else queue_length, out_dim)
        self.queue.push(torch.randn(self.queue.size, out_dim))
        self.keys = torch.empty(0, out_dim)  # of the last step's whole batch

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {
            "momentum": scaled_momentum(samples, batch_size, longest=1000, shortest=100),
            "queue_length": scaled_length(samples, batch_size, 1 / 8, 65536),
        }

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        both = self.symmetric or payload_shape(views[0].x) != payload_shape(views[1].x)
        queries, keys = (views, views[::-1]) if both else (views[:1], views[1:])
        return {"query": self.encode(queries, self.project), "key": self.encode(keys, self.teacher)}

    def loss(self, query: Tensor, key: Tensor) -> Tensor:
        self.keys = key.detach().flatten(0, 1)
        return info_nce(query, key.detach(), self.queue.filled(), self.temperature)

    def after_step(self) -> None:
        self.teacher.update(self.averaged(), self.momentum)
        self.queue.push(self.keys)
