"""A memory of every sample: one slowly moving embedding each."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from anyview.errors import InputError


class MemoryBank(nn.Module):
    """One unit vector for each sample of the data, an average of its embeddings (Wu et al. 2018, arXiv:1805.01978;
    PIRL, Misra and van der Maaten 2020, arXiv:1912.01991):

        m_i <- normalise( momentum m_i + (1 - momentum) normalise(z_i) )

    It starts with random directions. All of it is a buffer, so a resumed run goes on exactly. Entries carry no
    gradient. Update after the optimiser's step (``Method.after_step``), as a queue is pushed.
    """

    values: Float[Tensor, "samples dim"]

    def __init__(self, samples: int, dim: int) -> None:
        super().__init__()
        if samples < 2 or dim < 1:
            raise InputError(f"a memory has two samples or more of one dimension; not {samples} of {dim}")
        self.register_buffer("values", F.normalize(torch.randn(samples, dim), dim=1))

    def entries(self, index: Int[Tensor, "batch"]) -> Float[Tensor, "batch dim"]:
        """The entries of these samples.

        Raises:
            InputError: when there is no such sample.
        """
        check_index(index, len(self.values))
        return self.values[index]

    def draw(self, count: int, seed: int) -> Int[Tensor, "drawn"]:
        """Places of ``count`` different entries, or of all when there are not more; the same wherever the seed is
        the same, so that processes, whose generators differ, agree on them."""
        samples, device = len(self.values), self.values.device
        if count >= samples:
            return torch.arange(samples, device=device)
        generator = torch.Generator().manual_seed(seed)
        return torch.randperm(samples, generator=generator)[:count].to(device)

    @torch.no_grad()
    def update(self, index: Int[Tensor, "batch"], z: Float[Tensor, "batch dim"], momentum: float) -> None:
        """Moves the entries of these samples towards ``z``, and no others."""
        z = F.normalize(z.to(self.values), dim=1)
        moved = F.normalize(momentum * self.values[index] + (1 - momentum) * z, dim=1)
        self.values.index_copy_(0, index, moved)


def one_each(samples: int | None, system: str) -> int:
    """The number of samples, for a system that keeps something for each of them.

    Raises:
        InputError: when it was not given.
    """
    if samples is None:
        raise InputError(f"{system} keeps a vector for each sample of the data; give their number as samples")
    return samples


def check_index(index: Int[Tensor, "batch"], samples: int) -> None:
    """Raises InputError when a sample of the batch is none of ``samples``."""
    if len(index) and int(index.max()) >= samples:
        raise InputError(
            f"sample {int(index.max())} is beyond the {samples:,} there are; give samples as many"
        )
