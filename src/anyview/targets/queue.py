"""A memory of past embeddings, first in, first out."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from anyview.errors import InputError
from anyview.products import quick_products

BLOCK = 2**22  #: similarities held at once when neighbours are looked for


class Queue(nn.Module):
    """The last ``size`` embeddings pushed, as in MoCo (He et al. 2020, arXiv:1911.05722, section 3.2).

    A ring: a push overwrites the oldest entries. All of it is buffers, so a resumed run goes on exactly.
    Entries carry no gradient. Push after the optimiser's step (``Method.after_step``): the loss must not meet
    the current batch's own keys, and autograd refuses a backward pass over entries that changed since.
    """

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        if size < 1 or dim < 1:
            raise InputError(f"a queue holds at least one embedding of one dimension; size {size}, dim {dim}")
        self.size = size
        self.values: Float[Tensor, "size dim"]
        self.head: Tensor  #: slot that the next push writes first
        self.count: Tensor  #: number of slots in use; they are the first ones
        self.register_buffer("values", torch.zeros(size, dim))
        self.register_buffer("head", torch.zeros((), dtype=torch.int64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def __len__(self) -> int:
        return int(self.count)

    @torch.no_grad()
    def push(self, z: Float[Tensor, "n dim"]) -> None:
        """Adds embeddings in order; of more than ``size`` the last ones stay."""
        z = z[-self.size :]
        slots = (self.head + torch.arange(len(z), device=self.head.device)) % self.size
        self.values.index_copy_(0, slots, z.to(self.values))
        self.head.add_(len(z)).remainder_(self.size)
        self.count.add_(len(z)).clamp_(max=self.size)

    @torch.no_grad()
    @quick_products()
    def nearest(self, z: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """The entry of the smallest angle to each embedding; the embeddings themselves while none is held."""
        if not len(self):
            return z.detach().clone()
        held = F.normalize(self.filled(), dim=-1)
        rows = z.detach().to(held).flatten(0, -2)  # an angle does not hang on the length of what asks
        size = max(1, BLOCK // len(held))
        found = torch.cat([(part @ held.T).argmax(1) for part in rows.split(size)])
        return self.filled()[found].view(z.shape)

    def filled(self) -> Float[Tensor, "filled dim"]:
        """The embeddings held, in no particular order; none at the start."""
        return self.values[: len(self)]


def scaled_length(samples: int, batch_size: int, share: float, longest: int) -> int:
    """A queue's length in whole batches: a share of the data, one batch at least and ``longest`` at most."""
    return max(1, min(longest, int(share * samples)) // batch_size) * batch_size
