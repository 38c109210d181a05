"""Labels that a method gives every sample of the dataset, kept by the sample's place."""

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from anyview.errors import InputError


class Labels(nn.Module):
    """One label for each sample and clustering, for methods that relabel the dataset in ``before_epoch``.

    Buffers, so that a run that is resumed within an epoch goes on with the labels it had. At random and balanced until
    they are assigned.

    Args:
        samples: of the dataset; ``Method.scaled`` knows it.
        clusters: number of different labels.
        clusterings: how many labels a sample has.

    Raises:
        InputError: when the number of samples is not known or below that of clusters, or there are no clusters.
    """

    def __init__(self, samples: int | None, clusters: int, clusterings: int = 1) -> None:
        super().__init__()
        if samples is None:
            raise InputError("a method that labels the whole dataset must know its size; give samples")
        if clusterings < 1 or not 1 <= clusters <= samples:
            raise InputError(
                f"labels of {samples:,} samples are 1 to {samples:,} clusters in one clustering or more, not "
                f"{clusters:,} in {clusterings}"
            )
        self.clusters = clusters
        self.value: Int64[Tensor, "clusterings samples"]
        start = torch.stack([torch.randperm(samples) % clusters for _ in range(clusterings)])
        self.register_buffer("value", start)

    def forward(self, index: Int64[Tensor, "batch"]) -> Int64[Tensor, "batch clusterings"]:
        """The labels of the samples at these places."""
        return self.value[:, index].T

    def assign(self, clustering: int, label: Int64[Tensor, "samples"]) -> None:
        """New labels of all samples in one clustering."""
        self.value[clustering] = label.to(self.value.device)


def scaled_clusters(samples: int, paper: int) -> int:
    """A number of clusters that suits the data: it grows with the root of the samples, up to the paper's number at the
    1.28 million of ImageNet, and leaves ten samples to a cluster."""
    return max(2, min(paper, round(paper * (samples / 1_281_167) ** 0.5), samples // 10))
