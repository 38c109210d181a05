"""Full precision for objectives, also when the networks run in half precision."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from anyview.products import quick_products

P = ParamSpec("P")
R = TypeVar("R")


def widen(x: Any) -> Any:
    """Half-precision tensors as float32, everything else as it is."""
    return x.float() if isinstance(x, Tensor) and x.dtype in (torch.float16, torch.bfloat16) else x


def full_precision(objective: Callable[P, R]) -> Callable[P, R]:
    """Runs an objective outside autocast with its half-precision inputs in float32.

    Sums over a batch and exponentials of similarities lose what is being optimised in 8 bits of mantissa;
    the cost of float32 here is small beside the networks. Gradients return in the dtype of the input.
    """

    @functools.wraps(objective)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        device = next(x.device.type for x in (*args, *kwargs.values()) if isinstance(x, Tensor))
        with torch.autocast(device, enabled=False), quick_products():
            return objective(*map(widen, args), **{k: widen(v) for k, v in kwargs.items()})

    return run
