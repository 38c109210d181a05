"""Projectors and predictors: the small networks between an encoder and a loss, thrown away afterwards."""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from anyview.encoders.base import unused
from anyview.errors import InputError, unknown

NORMS: dict[str, Callable[..., nn.Module] | None] = {
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
    "none": None,
}
FLAGS = {"batch": "affine", "layer": "elementwise_affine"}  #: what a norm calls its scale and shift


def mlp(
    dims: list[int],
    norm: str = "batch",
    last_norm: bool = False,
    last_bias: bool = True,
    last_affine: bool = True,
) -> nn.Sequential:
    """Linear layers of widths ``dims`` (input first) with norm and ReLU between them.

    Args:
        norm: ``batch`` is what the papers use; ``layer`` and ``none`` do not couple the samples of a batch.
        last_norm: put a norm (no ReLU) on the output too.
        last_bias: whether the last linear layer has a bias; one before a norm never has.
        last_affine: whether that last norm learns a scale and a shift.

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
            plain = last and not last_affine
            layers.append(Norm(outputs, **({FLAGS[norm]: False} if plain else {})))
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
    last_affine: bool = True,
) -> nn.Sequential:
    """The projector of joint-embedding methods: ``layers`` linear layers, norm and ReLU between.

    SimCLR (arXiv:2002.05709, section 2.1): 2 layers. BYOL (arXiv:2006.07733, section 3.3): 2 layers, 4096 and
    256. VICReg's expander (arXiv:2105.04906, section 4.2): 3 layers of 8192. Barlow Twins
    (arXiv:2103.03230, section 2.2): 3 layers of 8192, no bias. No layers is no head: what goes in comes out.
    """
    if layers == 0:
        return nn.Sequential()
    return mlp([inputs, *[hidden] * (layers - 1), outputs], norm, last_norm, last_bias, last_affine)


def predictor(dim: int, hidden: int, norm: str = "batch") -> nn.Sequential:
    """BYOL's predictor, from an embedding to one of the same width (arXiv:2006.07733, section 3.3)."""
    return mlp([dim, hidden, dim], norm)


class Prototypes(nn.Module):
    """Cosines of an input with ``count`` learned directions: a linear layer with weight normalisation whose gain
    stays at 1, on inputs of unit length."""

    def __init__(self, dim: int, count: int) -> None:
        super().__init__()
        if dim < 1 or count < 2:
            raise InputError(f"prototypes are two or more, of one dimension or more, not {count} of {dim}")
        self.weight = nn.Parameter(F.normalize(torch.randn(count, dim), dim=1))

    def forward(self, x: Float[Tensor, "*batch dim"], held: bool = False) -> Float[Tensor, "*batch count"]:
        """``held`` keeps the directions: their gradient is zero, and decay alone turns none."""
        weight = self.weight.detach() + unused(self.weight) if held else self.weight
        return F.linear(F.normalize(x, dim=-1), F.normalize(weight, dim=1))


class DINOHead(nn.Module):
    """The head of DINO (Caron et al. 2021, arXiv:2104.14294, section 3.1 and appendix C): an MLP with GELU and
    without norms to a narrow bottleneck, unit length, and a weight-normalised layer to many prototypes.

    The gain of the last layer is fixed at 1 (``norm_last_layer`` of the official code, which its larger models use):
    logits are cosines, so that only the temperature says how sharp they become.

    Args:
        hidden: width inside; None is four times the input's, from 512 to the paper's 2,048.
        layers: of the MLP, the bottleneck's included.
        norm: between its layers: ``none`` beside encoders without batch norm, ``batch`` beside others (section 3.1).
    """

    def __init__(
        self,
        inputs: int,
        hidden: int | None,
        bottleneck: int,
        prototypes: int,
        layers: int = 3,
        norm: str = "none",
    ) -> None:
        super().__init__()
        hidden = min(2048, max(512, 4 * inputs)) if hidden is None else hidden
        if norm not in NORMS:
            raise unknown("norm", norm, NORMS)
        if layers < 1 or min(hidden, bottleneck) < 1:
            raise InputError(
                f"a DINO head has one layer or more of a width above 0, not {layers} of {hidden} to {bottleneck}"
            )
        self.mlp = nn.Sequential()
        for i, (a, b) in enumerate(pairwise([inputs, *[hidden] * (layers - 1), bottleneck])):
            linear = nn.Linear(a, b)
            nn.init.trunc_normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)
            self.mlp.append(linear)
            if i < layers - 1:
                Norm = NORMS[norm]
                self.mlp.extend([nn.GELU()] if Norm is None else [Norm(b), nn.GELU()])
        self.prototypes = Prototypes(bottleneck, prototypes)

    def forward(
        self, x: Float[Tensor, "*batch dim"], held: bool = False
    ) -> Float[Tensor, "*batch prototypes"]:
        """Logits; ``held`` keeps the last layer as it is."""
        return self.prototypes(self.mlp(x), held)


class ResidualHead(nn.Module):
    """Every cell of a map through a small network with batch norm, added to a linear map of the cell and normed again
    (AMDIM, arXiv:1906.00910, section 3: from local features to the space where they are compared)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.branch = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 1, bias=False),
        )
        self.norm = nn.BatchNorm2d(outputs)

    def forward(
        self, maps: Float[Tensor, "batch inputs rows columns"]
    ) -> Float[Tensor, "batch cells outputs"]:
        return self.norm(self.linear(maps) + self.branch(maps)).flatten(2).transpose(1, 2)
