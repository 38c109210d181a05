"""The narrow predictor of joint-embedding prediction: from the context's tokens to what stands elsewhere."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.encoders.base import Tokens
from anyview.encoders.positions import sincos
from anyview.encoders.transformer import Trunk


class Predictor(nn.Module):
    """A narrow transformer over the context and one query for each place that is asked for (I-JEPA,
    arXiv:2301.08243, section 3).

    A token of the context enters as ``A z + b + ψ(place)``, a query as ``b + ψ(place)``, or, with noise ``n``,
    as ``A n + b + ψ(place)`` with the same ``A`` (StoP, arXiv:2308.00566). The bias ``b`` is what I-JEPA calls
    the mask token, as in StoP's official code; so noise of zero is the deterministic predictor exactly.

    Args:
        in_dim: width of the encoder's tokens, and of the predictions.
        dim: width of the predictor; the paper's has 384.
        depth, heads: of its trunk. Positions ψ are sines and cosines of whatever axes the coordinates have.
    """

    def __init__(self, in_dim: int, dim: int, depth: int, heads: int) -> None:
        super().__init__()
        self.dim = dim
        self.embed = nn.Linear(in_dim, dim)
        self.trunk = Trunk(dim, depth, heads)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, in_dim)
        for linear in (self.embed, self.head):
            nn.init.xavier_uniform_(linear.weight)
        nn.init.normal_(self.embed.bias, std=0.02)
        nn.init.zeros_(self.head.bias)

    def queries(
        self,
        places: Float[Tensor, "batch wanted axes"],
        noise: Float[Tensor, "batch wanted indim"] | None = None,
    ) -> Float[Tensor, "batch wanted dim"]:
        """What asks for the tokens at ``places``, each with noise of its own when given."""
        centre = self.embed.bias if noise is None else self.embed(noise)
        return centre + sincos(places, self.dim).to(centre.dtype)

    def forward(
        self,
        context: Tokens,
        places: Float[Tensor, "batch wanted axes"],
        wanted: Bool[Tensor, "batch wanted"],
        noise: Float[Tensor, "batch wanted indim"] | None = None,
    ) -> Float[Tensor, "batch wanted indim"]:
        """The tokens at ``places``, as predicted from ``context``.

        Args:
            context: the encoder's output, with the coordinates of its tokens.
            places: coordinates of what is asked for.
            wanted: which of them are real; False at padding.
            noise: for each query; None asks at the exact place.
        """
        known = self.embed(context.values)
        known = known + sincos(context.coords, self.dim).to(known.dtype)
        asked = self.queries(places, noise).to(known.dtype)
        y = self.trunk(torch.cat([known, asked], 1), torch.cat([context.valid, wanted], 1))
        return self.head(self.norm(y[:, known.shape[1] :]))
