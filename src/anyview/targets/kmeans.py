"""k-means in blocks: centroids of embeddings, and which of them is nearest."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from anyview.errors import InputError
from anyview.products import quick_products

BLOCK = 2**22  #: entries of samples x centroids held at once


@torch.no_grad()
@quick_products()
def kmeans(
    x: Float[Tensor, "samples dim"], count: int, *, iterations: int = 10, spherical: bool = False
) -> tuple[Float[Tensor, "count dim"], Int64[Tensor, "samples"]]:
    r"""``count`` centroids and the label of every sample, by Lloyd's turns:

        label_i = argmin_k || x_i - m_k ||^2,   m_k = mean of the samples labelled k

    from ``count`` samples drawn from torch's generator. ``spherical`` scales samples and centroids to unit length, as
    DeepCluster v2 does. A centroid that no sample is nearest to moves to the sample that is farthest from its own, the
    next one to the next. Labels are those of the centroids returned: ``nearest`` gives them again.

    Sums are products with indicators, whose order is fixed: the same labels in every process, also on a GPU.

    Args:
        iterations: turns at most; it ends when no label changes.

    Raises:
        InputError: for fewer than one centroid, or fewer samples than centroids.
    """
    if not 1 <= count <= len(x):
        raise InputError(f"k-means of {len(x):,} samples can have 1 to {len(x):,} clusters, not {count:,}")
    x = F.normalize(x, dim=1) if spherical else x
    centroids = x[torch.randperm(len(x))[:count].to(x.device)]
    label, distance = _nearest(x, centroids)
    for _ in range(iterations):
        centroids = _means(x, label, centroids, distance)
        centroids = F.normalize(centroids, dim=1) if spherical else centroids
        before, (label, distance) = label, _nearest(x, centroids)
        if torch.equal(label, before):
            break
    return centroids, label


@torch.no_grad()
@quick_products()
def nearest(
    x: Float[Tensor, "samples dim"], centroids: Float[Tensor, "count dim"]
) -> Int64[Tensor, "samples"]:
    """The centroid of the smallest distance to each sample, seen before or not."""
    return _nearest(x, centroids)[0]


def _nearest(x: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """Labels and squared distances."""
    half = centroids.square().sum(1) / 2
    found = [(part @ centroids.T - half).max(1) for part in x.split(max(1, BLOCK // len(centroids)))]
    best = torch.cat([f.values for f in found])
    return torch.cat([f.indices for f in found]), (x.square().sum(1) - 2 * best).clamp(min=0)


def _means(x: Tensor, label: Tensor, centroids: Tensor, distance: Tensor) -> Tensor:
    count = len(centroids)
    total, members = torch.zeros_like(centroids), x.new_zeros(count)
    size = max(1, BLOCK // count)
    for part, labels in zip(x.split(size), label.split(size)):
        chosen = F.one_hot(labels, count).to(x.dtype)
        total += chosen.T @ part
        members += chosen.sum(0)
    means = total / members.clamp(min=1)[:, None]
    empty = (members == 0).nonzero()[:, 0]
    means[empty] = x[distance.topk(len(empty)).indices]
    return means
