"""Matrix products in float32, by the library that is quick on this processor."""

import functools
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

#: where PyTorch 2.9 and newer keep the permission
MATMUL: Any = getattr(torch.backends.mkldnn, "matmul", None)
EXACT = 1e-5  #: relative error of a product in float32; inside bf16 it would be some 2e-3


@contextmanager
def quick_products() -> Iterator[None]:
    """Inside, products of matrices in float32 on an AMD processor go to oneDNN; a context, or a decorator.

    PyTorch hands them to MKL, which uses about half of what an AMD processor with AVX-512 can do. The only door to
    oneDNN is the permission to compute in bf16 inside. Processors without matrix tiles (AMX) have no such routine, so
    oneDNN computes in float32 all the same, and twice as quickly; with tiles, with another processor, or when a
    product is found to err by more than float32 does, nothing is changed. The permission is the process's; it is taken
    back when the last that asked for it leaves.
    """
    if not _worth():
        yield
        return
    _Permission.take()
    try:
        yield
    finally:
        _Permission.give_back()


class _Permission:
    """Held by as many as are inside; threads share it, since PyTorch's setting is the process's."""

    lock, inside, before = threading.Lock(), 0, "none"

    @classmethod
    def take(cls) -> None:
        with cls.lock:
            if not cls.inside:
                cls.before = MATMUL.fp32_precision
                MATMUL.fp32_precision = "bf16"
            cls.inside += 1

    @classmethod
    def give_back(cls) -> None:
        with cls.lock:
            cls.inside -= 1
            if not cls.inside:
                MATMUL.fp32_precision = cls.before


@functools.cache
def _worth() -> bool:
    """Whether oneDNN is there, quicker, and as exact."""
    tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: True)()
    if not (_amd() and torch.backends.mkl.is_available() and hasattr(MATMUL, "fp32_precision")) or tiles:
        return False
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(256, 512, generator=g).float(), torch.randn(512, 256, generator=g).float()
    exact = a.double() @ b.double()
    _Permission.take()
    try:
        with torch.autocast("cpu", enabled=False):
            error = (a @ b - exact).norm() / exact.norm()
    finally:
        _Permission.give_back()
    return float(error) < EXACT


def _amd() -> bool:
    """Whether the processor is AMD's, as far as the system says."""
    if platform.system() == "Windows":
        return "AuthenticAMD" in os.environ.get("PROCESSOR_IDENTIFIER", "")
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
