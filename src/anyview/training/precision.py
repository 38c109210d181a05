"""Which device, number format and memory layout: what the machine does quickly, never what it only emulates."""

from typing import TypeVar

import torch
from torch import nn

from anyview.errors import InputError


def pick_device(name: str) -> torch.device:
    """The device called ``name``; ``auto`` is the quickest there is.

    Raises:
        InputError: for a device that this machine does not have.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f'no device "{name}" on this machine; --device auto or cpu works everywhere'
        ) from error
    return device


Network = TypeVar("Network", bound=nn.Module)


def channels_last(network: Network) -> Network:
    """The same network with the weights of its convolutions over 2 or 3 axes channels-last, as is quicker."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for tensor in [*network.parameters(), *network.buffers()]:
        if tensor.ndim in formats:
            tensor.data = tensor.data.contiguous(memory_format=formats[tensor.ndim])
    return network


def has_bf16(device: torch.device) -> bool:
    """Whether the processor multiplies bf16 with instructions of its own."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, check, lambda: False)() for check in checks)
    return False


def pick_precision(name: str, device: torch.device) -> str:
    """``fp32`` or ``bf16``; ``auto`` takes the latter where the processor has the instructions for it."""
    if name != "auto":
        return name
    return "bf16" if has_bf16(device) else "fp32"


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The context in which networks run."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
