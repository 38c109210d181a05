"""Which number went bad first: a weight, a sample, a term of the loss, or a gradient."""

import copy
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from anyview.data.batch import Batch, Payload
from anyview.encoders.base import own
from anyview.methods.base import Method

SHOWN = 5  #: samples that a message lists


def first_bad(named: Iterable[tuple[str, Tensor | None]]) -> str | None:
    """Name of the first tensor of which this process holds NaN or infinity; None when all are finite."""
    return next((name for name, x in named if x is not None and not torch.isfinite(own(x)).all()), None)


def bad_samples(method: Method, batch: Batch, inputs: Callable[[Payload], Payload]) -> Tensor:
    """Places in the dataset of the samples that have, each seen alone and whole, no finite embedding.

    The network is asked and not the payload, since a missing value of a table is NaN and no fault.
    """
    network = copy.deepcopy(method.encoder).eval()  # samples are apart in eval mode
    for buffer in network.buffers():
        if buffer.is_floating_point():
            buffer.nan_to_num_()  # statistics that this very batch may have spoiled
    with torch.no_grad():
        z = network(inputs(batch.x))
    return batch.index[~torch.isfinite(z).all(1)].cpu()


def cause(
    method: Method,
    batch: Batch,
    terms: Mapping[str, Tensor],
    inputs: Callable[[Payload], Payload],
    where: Callable[[int], str],
) -> tuple[str, bool]:
    """What went bad, in words that follow "because", and whether the weights are still good.

    Args:
        terms: of the loss.
        where: place of a sample in the dataset -> how a person finds it.
    """
    if name := first_bad(method.named_parameters()):
        return f"weight {name} is not finite", False
    samples = bad_samples(method, batch, inputs)
    if len(samples):
        listed = ", ".join(where(int(i)) for i in samples[:SHOWN])
        more = f" and {len(samples) - SHOWN:,} more" if len(samples) > SHOWN else ""
        return f"samples without finite embedding: {listed}{more}", True
    if len(terms) > 1 and (name := first_bad(terms.items())):
        return f"the term {name} is not finite", True
    return "", True
