"""SwAV: tell from one view the cluster that another view was given."""

from typing import Any

import torch
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.heads import Prototypes, projector
from anyview.methods.projected import Projected
from anyview.objectives.distillation import distillation
from anyview.objectives.transport import sinkhorn
from anyview.register import system
from anyview.targets.labels import scaled_clusters
from anyview.targets.queue import Queue
from anyview.views.base import Views

LARGE = 2  #: crops that are given codes; they come first


@system(
    "swav",
    title="Unsupervised Learning of Visual Features by Contrasting Cluster Assignments",
    paper="arXiv:2006.09882",
    year=2020,
    kind="method",
)
class SwAV(Projected):
    """The large crops of a batch are assigned to prototypes, all of them used alike (``sinkhorn``); every other crop
    of the sample must predict that code from its own similarity to the prototypes (equation 2, swapped).

    Prototypes are directions, learned with the network and held in the first steps. A batch smaller than their number
    cannot be shared among them: then a queue of embeddings of batches before takes part in the assignment, whose codes
    are not used (section 4.1). It begins late, since early embeddings change too fast.

    Args:
        hidden_dim: width of the projector inside; None takes the encoder's width, as the paper does, but 512 at
            least.
        out_dim: width of the embeddings.
        prototypes: None grows with the root of the samples, up to the paper's 3,000.
        temperature: of the prediction.
        epsilon: how soft codes are: 0.05 in the paper, with less where training stalls, as its code advises. In a
            short training codes of 0.05 are so alike that embeddings stay on nearly one axis.
        iterations: turns of the assignment; without any it is a softmax, and all samples fall to one prototype: the
            paper's reason for it.
        queue_length: embeddings of each large crop that help to assign; 0 is no queue. None takes a queue when the
            batch is smaller than the number of prototypes, a quarter longer than that, as the paper does.
        queue_start: share of the run from which it is used; the paper's 15 of 200 epochs.
        held: share of the run in which prototypes do not move; about an epoch in the paper.
    """

    needs = "multi_crop"
    couples_samples = True
    view_defaults = {"global_scale": (0.14, 1.0), "local_scale": (0.05, 0.14), "strength": 1.0}
    collapse_hint = "With swav this is usually an epsilon too high or a learning rate too high"
    queues: Any  # a Queue for each large crop, or none

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        hidden_dim: int | None = None,
        out_dim: int = 128,
        prototypes: int | None = None,
        temperature: float = 0.1,
        epsilon: float = 0.03,
        iterations: int = 3,
        queue_length: int | None = None,
        queue_start: float = 0.075,
        held: float = 0.01,
    ) -> None:
        super().__init__(encoder, views)
        self.temperature, self.epsilon, self.iterations = temperature, epsilon, iterations
        self.queue_start, self.held = queue_start, held
        self.projector = projector(encoder.dim, hidden_dim or max(512, encoder.dim), out_dim)
        self.prototypes = Prototypes(out_dim, 3000 if prototypes is None else prototypes)
        self.queues = nn.ModuleList(Queue(queue_length, out_dim) for _ in range(LARGE) if queue_length)
        self.recent = torch.empty(LARGE, 0, out_dim)  # large crops of the last step's whole batch

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        count = scaled_clusters(samples, 3000)
        batches = -(-5 * count // (4 * batch_size)) if batch_size < count else 0
        return {"prototypes": count, "queue_length": batches * batch_size}

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        z = self.encode(views, self.project)
        found = {"scores": self.prototypes(z, held=self.progress < self.held)}
        return found | ({"z": z[:LARGE].detach()} if self.queues else {})

    def loss(self, scores: Tensor, z: Tensor | None = None) -> Tensor:
        large = scores[:LARGE].detach()
        batch = large.shape[1]
        if z is not None:
            self.recent = z
            if self.progress >= self.queue_start and all(len(q) == q.size for q in self.queues):
                large = torch.cat([self.earlier().to(large), large], 1)
        codes = sinkhorn(large, self.epsilon, self.iterations)[:, -batch:]
        return distillation(scores, codes, self.temperature)

    @torch.no_grad()
    def earlier(self) -> Tensor:
        """Scores of the queues' embeddings by the prototypes of now."""
        return torch.stack([self.prototypes(queue.filled()) for queue in self.queues])

    def after_step(self) -> None:
        for queue, z in zip(self.queues, self.recent):
            queue.push(z)
