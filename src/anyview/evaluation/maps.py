"""A vector of every part of an image: the feature map of an encoder, and the pixels under its cells."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.data.loader import batches
from anyview.data.source import Source
from anyview.encoders.base import Tokens
from anyview.errors import InputError
from anyview.training.model import Model
from anyview.training.precision import pick_device

RAW_CELL = 8  #: pixels of a cell, along each side, that raw features hold at most


@torch.no_grad()
def feature_maps(model: Model, source: Source) -> Float[Tensor, "samples dim rows columns"]:
    """The tokens of the last layer of every sample, where they lie.

    Raises:
        InputError: for an encoder that gives no tokens on a grid.
    """
    place = pick_device("auto")
    encoder, maps = model.encoder.to(place).eval(), []
    for batch in batches(source, 128):
        tokens = encoder.tokens(model.modality.inputs(batch.to(place).x, model.spec))
        assert isinstance(tokens, Tokens)
        maps.append(laid_out(tokens, str(encoder.config["name"])).float().cpu())
    return torch.cat(maps)


def laid_out(tokens: Tokens, name: str) -> Float[Tensor, "batch dim rows columns"]:
    """Tokens with two coordinates as a map.

    Raises:
        InputError: when they do not fill a grid.
    """
    rows, columns = (
        (int(n) + 1 for n in tokens.coords.flatten(0, 1).amax(0)) if tokens.coords.shape[2] == 2 else (0, 0)
    )
    if rows * columns != tokens.values.shape[1] or not tokens.valid.all():
        raise InputError(f"dense needs a feature map; the tokens of {name} fill no grid. Leave out dense.")
    return tokens.values.transpose(1, 2).unflatten(2, (rows, columns))


@torch.no_grad()
def pixel_maps(model: Model, source: Source) -> Float[Tensor, "samples features rows columns"]:
    """The pixels under every cell of the model's feature map, ``RAW_CELL`` a side at most."""
    grid = feature_maps(model, source.take(torch.arange(1))).shape[2:]
    maps = []
    for batch in batches(source, 256):
        x = model.modality.inputs(batch.x, model.spec)
        cell = max(1, min(RAW_CELL, min(side // n for side, n in zip(x.shape[2:], grid))))
        x = F.interpolate(x, [n * cell for n in grid], mode="bilinear", antialias=True)
        maps.append(F.pixel_unshuffle(x, cell))
    return torch.cat(maps)
