"""Token mixers, looked up by name, so that a layer is tried in any trunk by changing one word.

A mixer is built as ``mixer(dim, heads, dropout=...)`` and called as ``mixer(x, valid)`` with ``x``
``(batch, tokens, dim)`` and ``valid`` ``(batch, tokens)`` or None when every token is valid. What an invalid
token holds must not reach a valid one.
"""

from collections.abc import Callable

from torch import nn

from anyview.encoders.layers.attention import Attention

MIXERS: dict[str, Callable[..., nn.Module]] = {"attention": Attention}
