"""Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2)."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.errors import InputError


class Attention(nn.Module):
    """``softmax(Q Kᵀ / √d) V`` over the valid tokens of each sample.

    Raises:
        InputError: when ``dim`` is no multiple of ``heads``.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise InputError(f"dim {dim} cannot be shared by {heads} heads; make dim a multiple of heads")
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(
        self, x: Float[Tensor, "batch tokens dim"], valid: Bool[Tensor, "batch tokens"] | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        # A sample without any token attends to its padding: its output is read by nobody, but must be finite.
        keys = None if valid is None else (valid | ~valid.any(1, keepdim=True))[:, None, None]
        dropout = self.dropout if self.training else 0.0
        if q.device.type == "cpu" and q.dtype == torch.bfloat16 and q.requires_grad:
            # the backward pass of this kernel is 11 times slower in bf16 than in fp32 on CPUs (torch 2.14)
            with torch.autocast("cpu", enabled=False):
                y = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), keys, dropout).to(q.dtype)
        else:
            y = F.scaled_dot_product_attention(q, k, v, keys, dropout)
        return self.out(y.transpose(1, 2).flatten(2))
