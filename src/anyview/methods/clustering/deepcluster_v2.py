"""DeepCluster v2: cluster the embeddings of an epoch, then learn the clusters in the next."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.heads import projector
from anyview.methods.projected import Projected
from anyview.objectives.prototypes import labelled
from anyview.register import system
from anyview.targets.kmeans import kmeans
from anyview.targets.labels import Labels, scaled_clusters
from anyview.views.base import Views

LARGE = 2  #: crops whose embeddings are kept; they come first


@system(
    "deepcluster-v2",
    title="Unsupervised Learning of Visual Features by Contrasting Cluster Assignments (DeepCluster-v2)",
    paper="arXiv:2006.09882",
    year=2020,
    kind="method",
)
class DeepClusterV2(Projected):
    """Before each epoch the embeddings that the last one left in a memory are clustered by spherical k-means, several
    times over. Every crop is then classified by its cosines with the centroids, which stay as they are: no classifier
    is learned, so none has to be after each clustering (DeepCluster, arXiv:1807.05520, had to; SwAV, appendix, names
    what version 2 changed).

    The memory holds the two large crops of each sample; clusterings take them by turns. Before the first epoch it
    holds the whole samples, as the untrained network embeds them.

    Args:
        hidden_dim: width of the projector inside; None takes the encoder's width, but 512 at least.
        out_dim: width of the embeddings.
        clusters: of each clustering; None grows with the root of the samples, up to the paper's 3,000.
        clusterings: how many; their losses are averaged.
        temperature: of the classification.
        turns: of k-means.
        samples: of the dataset; None follows the data.
    """

    needs = "multi_crop"
    couples_samples = True
    view_defaults = {"global_scale": (0.14, 1.0), "local_scale": (0.05, 0.14), "strength": 1.0}
    collapse_hint = "With deepcluster-v2 this is usually a learning rate too high or too few clusters"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        hidden_dim: int | None = None,
        out_dim: int = 128,
        clusters: int | None = None,
        clusterings: int = 3,
        temperature: float = 0.1,
        turns: int = 10,
        samples: int | None = None,
    ) -> None:
        super().__init__(encoder, views)
        self.temperature, self.turns = temperature, turns
        self.projector = projector(encoder.dim, hidden_dim or max(512, encoder.dim), out_dim)
        self.labels = Labels(samples, 3000 if clusters is None else clusters, clusterings)
        centroids = F.normalize(torch.randn(clusterings, self.labels.clusters, out_dim), dim=-1)
        self.centroids: Float[Tensor, "clusterings clusters dim"]
        self.memory: Float[Tensor, "crops samples dim"]
        self.register_buffer("centroids", centroids)
        self.register_buffer("memory", torch.zeros(LARGE, self.labels.value.shape[1], out_dim))
        self.recent = (torch.empty(LARGE, 0, out_dim), torch.empty(0, dtype=torch.int64))  # and their places

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {"clusters": scaled_clusters(samples, 3000), "samples": samples}

    @torch.no_grad()
    def before_epoch(self, embed: Callable[..., Tensor]) -> None:
        if not self.memory.any():
            head = self.projector.eval()
            parts = [head(part.to(self.memory)) for part in embed().split(4096)]
            self.memory.copy_(F.normalize(torch.cat(parts), dim=1).expand_as(self.memory))
            self.projector.train(self.training)
        for i in range(len(self.centroids)):
            centroids, label = kmeans(
                self.memory[i % LARGE], self.labels.clusters, iterations=self.turns, spherical=True
            )
            self.centroids[i] = centroids
            self.labels.assign(i, label)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        z = F.normalize(self.encode(views, self.project), dim=-1)
        index = views[0].index
        return {
            "scores": torch.einsum("vbd,hkd->vbhk", z, self.centroids.to(z)),
            "label": self.labels(index)[None],
            "z": z[:LARGE].detach(),
            "index": index[None],
        }

    def loss(self, scores: Tensor, label: Tensor, z: Tensor, index: Tensor) -> Tensor:
        self.recent = (z, index[0])
        return labelled(scores, label.expand(scores.shape[:3]), self.temperature)

    def after_step(self) -> None:
        z, index = self.recent
        self.memory[:, index] = z.to(self.memory)
