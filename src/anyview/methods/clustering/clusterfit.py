"""ClusterFit: a new network learns the clusters of what another network sees."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders import registry
from anyview.encoders.base import Encoder
from anyview.errors import InputError
from anyview.methods.base import Method
from anyview.objectives.prototypes import labelled
from anyview.register import system
from anyview.targets.kmeans import kmeans
from anyview.targets.labels import Labels, scaled_clusters
from anyview.views.base import Views


@system(
    "clusterfit",
    title="ClusterFit: Improving Generalization of Visual Representations",
    paper="arXiv:1912.03330",
    year=2020,
    kind="method",
)
class ClusterFit(Method):
    """The embeddings of a pretrained network are clustered, once; an encoder from fresh weights is trained to tell a
    sample's cluster, as if it were its class (section 3). What many samples share passes through the clusters, what
    only served the first network's task does not.

    The pretrained network reads whole samples in eval mode. It may be of any kind that reads the same input. It is not
    kept: the labels are in the checkpoint, with the centroids, by which ``targets.kmeans.nearest`` labels new samples.

    Args:
        pretrained: folder of the network that is clustered, as a run leaves it in ``encoder``. None clusters the
            encoder as it is drawn: the control without pretraining.
        clusters: None grows with the root of the samples, up to the paper's 16,000.
        turns: of k-means.
        spherical: compare directions instead of points.
        samples: of the dataset; None follows the data.
    """

    needs = "multi_view"
    couples_samples = False
    view_defaults = {"count": 1}
    collapse_hint = "With clusterfit this is usually a pretrained network that had collapsed"
    fitted: Tensor
    centroids: Float[Tensor, "clusters dim"]

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        pretrained: str | None = None,
        clusters: int | None = None,
        turns: int = 50,
        spherical: bool = False,
        samples: int | None = None,
    ) -> None:
        super().__init__(encoder, views)
        self.turns, self.spherical = turns, spherical
        self.labels = Labels(samples, 16000 if clusters is None else clusters)
        self.head = nn.Linear(encoder.dim, self.labels.clusters)
        self.sources = (
            [] if pretrained is None else [registry.load(pretrained)[0]]
        )  # a list: no part of the method
        if self.sources and self.sources[0].config["input"] != encoder.config["input"]:
            raise InputError(
                f"{pretrained} reads other samples than this data's; take one pretrained on such data"
            )
        dim = (self.sources or [encoder])[0].dim
        self.register_buffer("centroids", torch.zeros(self.labels.clusters, dim))
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {"clusters": scaled_clusters(samples, 16000), "samples": samples}

    @torch.no_grad()
    def before_epoch(self, embed: Callable[..., Tensor]) -> None:
        if self.fitted:
            return
        h = embed(*self.sources).to(self.centroids)
        centroids, label = kmeans(h, self.labels.clusters, iterations=self.turns, spherical=self.spherical)
        self.centroids.copy_(centroids)
        self.labels.assign(0, label)
        self.fitted.fill_(True)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        z = self.encode(views, lambda x: self.head(self.encoder(x)))
        return {"logits": z, "label": self.labels(views[0].index).T.expand(z.shape[:2])}

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return labelled(logits, label)
