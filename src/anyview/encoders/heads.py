"""Projectors and predictors: the small networks between an encoder and a loss, thrown away afterwards."""

from collections.abc import Callable
from itertools import pairwise

from torch import nn

from anyview.errors import InputError, unknown

NORMS: dict[str, Callable[[int], nn.Module] | None] = {
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
    "none": None,
}


def mlp(
    dims: list[int], norm: str = "batch", last_norm: bool = False, last_bias: bool = True
) -> nn.Sequential:
    """Linear layers of widths ``dims`` (input first) with norm and ReLU between them.

    Args:
        norm: ``batch`` is what the papers use; ``layer`` and ``none`` do not couple the samples of a batch.
        last_norm: put a norm (no ReLU) on the output too.
        last_bias: whether the last linear layer has a bias; one before a norm never has.

    Raises:
        InputError: for an unknown norm or fewer than two widths, or one below 1.
    """
    if norm not in NORMS:
        raise unknown("norm", norm, NORMS)
    if len(dims) < 2:
        raise InputError(f"an MLP needs an input and an output width, not {dims}")
    if min(dims) < 1:
        raise InputError(f"the widths of an MLP are 1 or more, not {dims}")
    Norm = NORMS[norm]
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(dims)):
        last = i == len(dims) - 2
        normed = last_norm or not last
        bias = last_bias or not last
        layers.append(nn.Linear(inputs, outputs, bias=bias and not (normed and Norm is not None)))
        if Norm is not None and normed:
            layers.append(Norm(outputs))
        if not last:
            layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def projector(
    inputs: int,
    hidden: int,
    outputs: int,
    layers: int = 2,
    norm: str = "batch",
    last_norm: bool = False,
    last_bias: bool = True,
) -> nn.Sequential:
    """The projector of joint-embedding methods: ``layers`` linear layers, norm and ReLU between.

    SimCLR (arXiv:2002.05709, section 2.1): 2 layers. BYOL (arXiv:2006.07733, section 3.3): 2 layers, 4096 and
    256. VICReg's expander (arXiv:2105.04906, section 4.2): 3 layers of 8192. Barlow Twins
    (arXiv:2103.03230, section 2.2): 3 layers of 8192, no bias. No layers is no head: what goes in comes out.
    """
    if layers == 0:
        return nn.Sequential()
    return mlp([inputs, *[hidden] * (layers - 1), outputs], norm, last_norm, last_bias)


def predictor(dim: int, hidden: int, norm: str = "batch") -> nn.Sequential:
    """BYOL's predictor, from an embedding to one of the same width (arXiv:2006.07733, section 3.3)."""
    return mlp([dim, hidden, dim], norm)
