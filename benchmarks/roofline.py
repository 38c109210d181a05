"""``python -m benchmarks.roofline``: what this machine can do at most, to read other figures by.

Floating-point operations a second of a large matrix product (in fp32, and in bf16 where the processor has it) and of
the 3 x 3 convolution that ResNet-18 does most of, and bytes a second of copying more than caches hold. With all threads
that torch takes, the best of several tries. Figures are kept in ``results/roofline.json``.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console

from anyview.training.precision import has_bf16
from benchmarks import machine

RESULT = Path(__file__).parent / "results" / "roofline.json"
TRIES = 5
SIDE = 2048  #: of the matrices
BATCH, CHANNELS, IMAGE = 128, 64, 32  #: of the convolution
COPIED = 256 * 2**20  #: bytes


def speed() -> dict[str, float]:
    """Billions a second: operations (``gflops``) and bytes read and written (``gb``)."""
    found = {}
    for name, kind in {"fp32": torch.float32, "bf16": torch.bfloat16}.items():
        if kind is torch.bfloat16 and not has_bf16(torch.device("cpu")):
            continue
        found[f"product {name} gflops"] = _product(kind)
        found[f"convolution {name} gflops"] = _convolution(kind)
    a, b = torch.zeros(COPIED // 4), torch.zeros(COPIED // 4)
    found["copy gb"] = 2 * COPIED / best(lambda: b.copy_(a)) / 1e9
    return {name: round(value, 1) for name, value in found.items()}


@torch.no_grad()
def _product(kind: torch.dtype) -> float:
    a, b = (torch.randn(SIDE, SIDE).to(kind) for _ in range(2))
    return 2 * SIDE**3 / best(lambda: a @ b) / 1e9


@torch.no_grad()
def _convolution(kind: torch.dtype) -> float:
    layer = torch.nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False)
    layer = layer.to(kind, memory_format=torch.channels_last)
    x = torch.randn(BATCH, CHANNELS, IMAGE, IMAGE).to(kind).contiguous(memory_format=torch.channels_last)
    return 2 * 9 * CHANNELS**2 * BATCH * IMAGE**2 / best(lambda: layer(x)) / 1e9


def best(work: Callable[[], object]) -> float:
    """Seconds of the quickest of several tries, the first left out."""
    work()
    seconds = []
    for _ in range(TRIES):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def said(found: dict[str, float]) -> str:
    """In words."""
    operations = [f"{v:,.0f} GFLOP/s {k.removesuffix(' gflops')}" for k, v in found.items() if "gflops" in k]
    return f"{', '.join(operations)}; {found['copy gb']:.1f} GB/s read and written in copying"


def main() -> int:
    start, here = time.monotonic(), machine.describe()
    found = speed()
    Console(highlight=False, width=120).print(f"at most   {said(found)}")
    machine.keep(RESULT, {**machine.about(start, here), "threads": torch.get_num_threads(), "figures": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
