"""The decoder of masked reconstruction: from what was visible to what was hidden."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.data.batch import Payload
from anyview.encoders.base import Encoder, Targets, Tokens
from anyview.encoders.positions import sincos
from anyview.encoders.transformer import Trunk


def gather_masked(
    values: Tensor, mask: Bool[Tensor, "batch tokens"], valid: Bool[Tensor, "batch tokens"]
) -> tuple[Tensor, Bool[Tensor, "batch masked"]]:
    """What ``values`` ``(batch, tokens, ...)`` holds at masked valid tokens, in order of the tokens.

    Returns:
        ``(batch, masked, ...)`` and its validity; ``masked`` is the largest number hidden in a sample.
    """
    hidden = mask & valid
    width = int(hidden.sum(1).max())
    order = torch.argsort(~hidden, dim=1, stable=True)[:, :width]
    rows = torch.arange(len(values), device=values.device)[:, None]
    return values[rows, order], hidden.gather(1, order)


def read_hidden(
    encoder: Encoder, x: Payload, mask: Bool[Tensor, "batch tokens"], valid: Bool[Tensor, "batch tokens"]
) -> tuple[Float[Tensor, "batch masked dim"], Bool[Tensor, "batch masked"]]:
    """The encoder's output at hidden tokens when a learned vector stands in their place, and which are real."""
    tokens = encoder.tokens(x, mask, masked="replace")
    assert isinstance(tokens, Tokens)
    return gather_masked(tokens.values, mask, valid)


def masked_targets(
    targets: Targets, mask: Bool[Tensor, "batch tokens"], valid: Bool[Tensor, "batch tokens"]
) -> tuple[Tensor, Bool[Tensor, "batch masked"]]:
    """Targets of the hidden tokens, in the order in which ``MaskedDecoder`` predicts them."""
    return gather_masked(targets.values, mask, valid)


class MaskedDecoder(nn.Module):
    """A narrow transformer that predicts hidden tokens from visible ones (MAE, arXiv:2111.06377, section 3).

    Args:
        in_dim: width of the encoder's tokens.
        out_size: width of a prediction (``Targets.size``).
        dim: width of the decoder; the paper's image decoder has 512.
        depth, heads: of its trunk. Positions are sines and cosines of whatever axes the coordinates have.
    """

    def __init__(self, in_dim: int, out_size: int, dim: int, depth: int, heads: int) -> None:
        super().__init__()
        self.dim = dim
        self.embed = nn.Linear(in_dim, dim)
        self.mask_token = nn.Parameter(0.02 * torch.randn(dim))
        self.trunk = Trunk(dim, depth, heads)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, out_size)
        for linear in (self.embed, self.head):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self,
        visible: Tokens,
        coords: Float[Tensor, "batch tokens axes"],
        valid: Bool[Tensor, "batch tokens"],
        mask: Bool[Tensor, "batch tokens"],
        beside: Float[Tensor, "batch beside in_dim"] | None = None,
    ) -> tuple[Float[Tensor, "batch masked size"], Bool[Tensor, "batch masked"]]:
        """Predictions of the masked tokens only, in order, and which of them are real.

        Args:
            visible: the encoder's output without the masked tokens, ``(batch, visible, in_dim)``.
            coords, valid, mask: of all tokens, as the encoder saw them.
            beside: its output at tokens that have no place, such as ``cls``. They are predicted too, before the masked
                ones.
        """
        # Attention does not mind the order, so mask tokens simply follow the visible ones.
        places, hidden = gather_masked(coords, mask, valid)
        known = self.embed(visible.values)
        known = known + sincos(visible.coords, self.dim).to(known.dtype)
        wanted = self.mask_token.to(known.dtype) + sincos(places, self.dim).to(known.dtype)
        if beside is not None:
            wanted = torch.cat([self.embed(beside), wanted], 1)
            hidden = torch.cat([hidden.new_ones(beside.shape[:2]), hidden], 1)
        y = self.trunk(torch.cat([known, wanted], 1), torch.cat([visible.valid, hidden], 1))
        return self.head(self.norm(y[:, known.shape[1] :])), hidden
