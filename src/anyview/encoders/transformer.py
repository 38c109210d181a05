"""The trunk of every token encoder and decoder: pre-norm blocks around a token mixer chosen by name."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.encoders.layers import MIXERS
from anyview.errors import InputError, unknown


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016, arXiv:1603.09382): leaves a branch out for whole samples."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        if not self.training or self.rate == 0.0:
            return x
        kept = torch.rand(len(x), 1, 1, device=x.device) >= self.rate
        return x * kept.to(x.dtype) / (1.0 - self.rate)


class Block(nn.Module):
    """``x + mix(norm(x))``, then ``x + mlp(norm(x))`` (ViT, arXiv:2010.11929, equations 2 and 3)."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float, mixer: str, drop_path: float, dropout: float):
        super().__init__()
        if mixer not in MIXERS:
            raise unknown("mixer", mixer, MIXERS)
        hidden = int(dim * mlp_ratio)
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.mixer = MIXERS[mixer](dim, heads, dropout=dropout)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(dim, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, dim),
            nn.Dropout(dropout),
        )
        self.drop_path = DropPath(drop_path)

    def forward(
        self, x: Float[Tensor, "batch tokens dim"], valid: Bool[Tensor, "batch tokens"] | None
    ) -> Float[Tensor, "batch tokens dim"]:
        x = x + self.drop_path(self.mixer(self.norm1(x), valid))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class Trunk(nn.Module):
    """A stack of blocks, without positions and without a final norm.

    Args:
        dim: width of a token.
        mixer: name in ``encoders.layers.MIXERS``.
        drop_path: rate of stochastic depth in the last block; it grows linearly from 0 in the first.
    """

    def __init__(
        self,
        dim: int,
        depth: int,
        heads: int,
        mlp_ratio: float = 4.0,
        mixer: str = "attention",
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        for what, rate in (("drop_path", drop_path), ("dropout", dropout)):
            if not 0.0 <= rate < 1.0:
                raise InputError(f"{what} {rate} cannot be; it is a share from 0 up to below 1")
        rates = [drop_path * i / max(depth - 1, 1) for i in range(depth)]
        self.blocks = nn.ModuleList(Block(dim, heads, mlp_ratio, mixer, rate, dropout) for rate in rates)
        self.apply(_initialise)

    def forward(
        self,
        x: Float[Tensor, "batch tokens dim"],
        valid: Bool[Tensor, "batch tokens"] | None = None,
        layers: list[int] | None = None,
    ) -> Tensor | list[Tensor]:
        """The output of the last block, or of each of ``layers`` (0 is ``x`` itself), as asked for."""
        if valid is not None and bool(valid.all()):
            valid = None  # attention without a mask is much quicker
        if layers is None:
            for block in self.blocks:
                x = block(x, valid)
            return x
        outputs = [x]
        for block in list(self.blocks)[: max(layers, default=0)]:
            outputs.append(block(outputs[-1], valid))
        return [outputs[i] for i in layers]


def _initialise(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases, as MAE does (arXiv:2111.06377, appendix A.1)."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
