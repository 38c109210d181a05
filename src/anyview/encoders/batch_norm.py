"""Running statistics of batch norms: left as they are, or taken anew.

A network in training normalises by the batch and in evaluation by what it has counted, so whatever passes through it
in training but is not what it will embed must not be counted.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """Every batch norm of a network, in order."""
    return [m for m in network.modules() if isinstance(m, _BatchNorm)]


@contextmanager
def uncounted(network: nn.Module) -> Iterator[None]:
    """Passes in training mode leave the running statistics as they are."""
    with _held(network, "track_running_stats", False):
        yield


@contextmanager
def counted_anew(network: nn.Module) -> Iterator[None]:
    """The running statistics become the plain average over the passes in training mode."""
    for norm in batch_norms(network):
        norm.reset_running_stats()
    with _held(network, "momentum", None):
        yield


@contextmanager
def _held(network: nn.Module, name: str, value: float | bool | None) -> Iterator[None]:
    """Sets an attribute of all norms, and gives each its own back."""
    norms = batch_norms(network)
    before = [getattr(norm, name) for norm in norms]
    for norm in norms:
        setattr(norm, name, value)
    try:
        yield
    finally:
        for norm, own in zip(norms, before):
            setattr(norm, name, own)
