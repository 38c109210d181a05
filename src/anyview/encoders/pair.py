"""Two towers into one space: the encoder of pairs."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from anyview.data.batch import Payload
from anyview.encoders.base import Encoder
from anyview.errors import InputError


class PairEncoder(Encoder):
    """An encoder for each side, and a linear map from it into the space that both share (CLIP, arXiv:2103.00020,
    figure 3).

    ``encoder({"image": ..., "text": ...})`` takes one side or both. An embedding has length 1: that of a side is
    its normalised projection, that of a whole pair the normalised mean of both, so all can be compared.

    Args:
        towers: encoder of each side by its name in the payload.
        dim: width of the shared space.
    """

    depth = 0

    def __init__(self, towers: dict[str, Encoder], dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.towers = nn.ModuleDict(towers)
        self.projections = nn.ModuleDict(
            {side: nn.Linear(tower.dim, dim, bias=False) for side, tower in towers.items()}
        )

    def forward(self, x: Payload) -> Float[Tensor, "batch dim"]:
        if not isinstance(x, dict) or not x or set(x) - set(self.towers):
            given = ", ".join(x) if isinstance(x, dict) else type(x).__name__
            raise InputError(f"expected a dict of {' and '.join(self.towers)}, or one of them; got {given}")
        sides = [F.normalize(self.projections[k](self.towers[k](x[k])), dim=1) for k in x]
        return sides[0] if len(sides) == 1 else F.normalize(torch.stack(sides).mean(0), dim=1)
