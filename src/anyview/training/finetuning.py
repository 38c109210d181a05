"""Full fine-tuning: an encoder's weights go on with the labels, its lower layers more slowly."""

import copy
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.data.batch import Payload
from anyview.data.source import Source
from anyview.encoders.base import Encoder, layer_outputs
from anyview.training.model import Model
from anyview.training.optim import LR
from anyview.training.options import OptimizerOptions
from anyview.training.precision import pick_device
from anyview.training.supervised import choose, fit, scores

STEPS = 1000
#: what is chosen among: decay of the rate from layer to layer, and the peak rate as a share of the usual one. The
#: plain choice, last, is what fresh weights take.
CHOICES = ((0.75, 1.0), (0.75, 0.25), (1.0, 1.0))


def finetune(
    model: Model, train: Source, validation: Source, test: Source, *, seed: int = 0, views: str = "tokens"
) -> Float[Tensor, "test *classes"]:
    """Trains a copy of the model's encoder and a linear head on the labels of ``train`` for ``STEPS``, on views (by
    default those of the modality's mildest pipeline), once for each of ``CHOICES``; the one that does best on
    validation answers.

    A layer trains at ``decay^(layers above it)`` of the rate of the head (BEiT, arXiv:2106.08254, appendix H).

    Returns:
        Scores of classes, or targets, for all samples of ``test``, whose labels are not read.
    """
    device = pick_device("auto")
    layers = layer_of(
        model.encoder, model.modality.inputs(train.fetch(torch.arange(min(2, len(train)))).x, model.spec)
    )

    def trained(decay: float, rate: float) -> torch.nn.Module:
        encoder = copy.deepcopy(model.encoder)
        options = OptimizerOptions(lr=rate * LR["adamw"])
        share = slowed(encoder, layers, decay)
        return fit(model, train, STEPS, seed, device, encoder, options, share, views)

    network = choose(model, (trained(*choice) for choice in CHOICES), validation, device)
    return scores(model, network, test, device)


def slowed(encoder: Encoder, layers: dict[str, int], decay: float) -> Callable[[Tensor], float]:
    """The share of the rate that a parameter trains at: that of the head is 1."""
    share = {id(p): decay ** (encoder.depth + 1 - layers[name]) for name, p in encoder.named_parameters()}
    return lambda parameter: share.get(id(parameter), 1.0)


def layer_of(encoder: Encoder, x: Payload) -> dict[str, int]:
    """Parameter -> the first layer, of ``tokens(layers=...)``, whose output depends on it; 0 is the input embedding.
    What only the vector depends on, such as a last norm, is of the last layer.

    Args:
        x: a few samples as the encoder takes them.
    """
    encoder = copy.deepcopy(encoder).cpu().eval().requires_grad_(True)
    named = dict(encoder.named_parameters())
    found = dict.fromkeys(named, encoder.depth)
    for layer, output in reversed(layer_outputs(encoder, x).items()):
        if not output.values.requires_grad:
            continue
        slopes = torch.autograd.grad(
            output.values.float().sum(), list(named.values()), retain_graph=True, allow_unused=True
        )
        found |= {name: layer for name, slope in zip(named, slopes) if slope is not None}
    return found
