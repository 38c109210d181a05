"""Targets with context: what the upper layers of a transformer say of every token of a whole sample."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from anyview.data.batch import Payload
from anyview.encoders.token_encoder import TokenEncoder
from anyview.errors import unknown

NORMS = ("layer", "instance", "none")


def feed_forward_outputs(encoder: TokenEncoder, x: Payload) -> list[Float[Tensor, "batch tokens dim"]]:
    """What the feed-forward network of each block gives for every token, before it is added to the residual.

    data2vec (Baevski et al. 2022, arXiv:2202.03555, section 3.3) found this better than the block's output:
    the residual carries the input along, and self-attention alone is worse (its table 4).
    """
    found: list[Tensor] = []

    def keep(module: Any, inputs: Any, output: Tensor) -> None:
        found.append(output)

    networks = [block.get_submodule("mlp") for block in encoder.trunk.blocks]
    hooks = [network.register_forward_hook(keep) for network in networks]
    try:
        encoder.tokens(x, layers=[encoder.depth])  # every block once, on the whole batch
    finally:
        for hook in hooks:
            hook.remove()
    return [output[:, encoder.extra :] for output in found]


def mean_of_normalised(
    layers: list[Float[Tensor, "batch tokens dim"]], valid: Bool[Tensor, "batch tokens"], norm: str = "layer"
) -> Float[Tensor, "batch tokens dim"]:
    """The mean of layers, each normalised without learned parameters, in float32.

    Args:
        layers: of one shape.
        valid: which tokens are real; padding takes part in no statistic.
        norm: ``layer`` over the values of a token, ``instance`` over the valid tokens of a sample for each
            value, or ``none``.

    Raises:
        InputError: for another norm.
    """
    if norm not in NORMS:
        raise unknown("normalisation", norm, NORMS)
    stacked = torch.stack(layers)
    stacked = stacked.float() if stacked.dtype in (torch.float16, torch.bfloat16) else stacked
    if norm == "layer":
        stacked = F.layer_norm(stacked, stacked.shape[-1:])
    elif norm == "instance":
        share = (valid / valid.sum(1, keepdim=True).clamp(min=1)).to(stacked.dtype)[None, :, :, None]
        mean = (stacked * share).sum(2, keepdim=True)
        variance = ((stacked - mean).square() * share).sum(2, keepdim=True)
        stacked = (stacked - mean) / (variance + 1e-5).sqrt()
    return stacked.mean(0)
