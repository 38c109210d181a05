"""``python -m benchmarks.ragged``: what groups of similar length spare, on spoken digits of 0.1 to 2.3 seconds.

One network and one method in three ways, taking turns in one process: samples of a batch in groups of similar
length (as the library does it), every batch padded to its longest, and every batch padded to the longest of the
dataset. A turn is one epoch of training from the same weights. Figures are kept in ``results/ragged.json``.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from rich.console import Console
from torch import Tensor

from anyview.data import open as open_data
from anyview.data.loader import Loader
from anyview.encoders import token_encoder
from anyview.encoders.lengths import by_length
from anyview.training.optim import build_optimizer
from anyview.training.options import OptimizerOptions
from anyview.training.plan import make_plan
from anyview.training.step import plain_step, seed_step
from benchmarks import machine

RESULT = Path(__file__).parent / "results" / "ragged.json"
TARGET = 1.5  #: how many times as quick groups must be
WAYS = ("groups", "batch's longest", "dataset's longest")


def main() -> int:
    options = _options()
    torch.set_num_threads(options.threads)
    start, here = time.monotonic(), machine.describe()
    console = Console(highlight=False)
    console.print(f"machine   {here['cpu']} · {options.threads} thread(s) · load {here['load_before']}")
    data = open_data("fsdd")
    whole = make_plan(options.method, data, encoder=options.encoder, options={"batch_size": options.batch})
    with torch.no_grad():
        longest = _tokens(whole, len(data.train))
    console.print(
        f"data      {len(data.train):,} spoken digits, {whole.modality.describe(data.spec)}; "
        f"tokens {longest.float().mean():.1f} on average, {int(longest.max())} at most"
    )
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for turn in range(options.rounds):
        for way in WAYS:
            seconds[way].append(epoch(data, options, way, int(longest.max())))
            rate = len(data.train) / seconds[way][-1]
            console.print(f"round {turn + 1}/{options.rounds}  {way:<18} {rate:7.0f} recordings/s")
    spent = {way: statistics.median(found) for way, found in seconds.items()}
    ratios = {f"groups against {way}": spent[way] / spent["groups"] for way in WAYS[1:]}
    for name, ratio in ratios.items():
        console.print(f"{name:<36} {ratio:.2f} times as quick (needed: {TARGET})")
    record = {
        **machine.about(start, here),
        "settings": vars(options),
        "tokens": {"mean": round(float(longest.float().mean()), 2), "most": int(longest.max())},
        "target": TARGET,
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "holds": all(ratio >= TARGET for ratio in ratios.values()),
        "seconds": {way: [round(s, 3) for s in found] for way, found in seconds.items()},
    }
    machine.keep(RESULT, record)
    return 0


def _tokens(plan: Any, count: int) -> Tensor:
    """Tokens of every recording, whole."""
    x = plan.modality.inputs(plan.dataset.train.fetch(torch.arange(count)).x, plan.dataset.spec)
    return plan.method.encoder.layout(x)[1].sum(1)


def epoch(data: Any, options: argparse.Namespace, way: str, longest: int) -> float:
    """Seconds that an epoch of training takes, two steps before it not counted."""
    plan = make_plan(options.method, data, encoder=options.encoder, options={"batch_size": options.batch})
    method, loader = plan.method, Loader(data.train, options.batch)
    optimizer = build_optimizer(method, OptimizerOptions(lr=1e-3), 256)
    began = 0.0
    with padded(way, longest):
        for step in range(2 + loader.steps_per_epoch):
            began = time.perf_counter() if step == 2 else began
            seed_step(0, step)
            plain_step(method, method.views(next(loader).without_label()), lambda loss: loss.backward())
            optimizer.step()
            optimizer.zero_grad()
            method.after_step()
    return time.perf_counter() - began


def padded(way: str, longest: int) -> AbstractContextManager[Any]:
    """Within it, the trunk of token encoders pads as ``way`` says."""
    if way == "groups":
        return nullcontext()

    def as_it_comes(network: Callable[[Tensor, Tensor], Tensor], values: Tensor, valid: Tensor) -> Tensor:
        return network(values, valid)

    def to_longest(network: Callable[[Tensor, Tensor], Tensor], values: Tensor, valid: Tensor) -> Tensor:
        tokens = values.shape[1]
        more = max(0, longest - tokens)
        values = torch.nn.functional.pad(values, (0, 0, 0, more))
        return network(values, torch.nn.functional.pad(valid, (0, more)))[:, :tokens]

    assert token_encoder.by_length is by_length
    return mock.patch.object(
        token_encoder, "by_length", as_it_comes if way == "batch's longest" else to_longest
    )


def _options() -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="python -m benchmarks.ragged", description=__doc__.partition("\n")[0])
    p.add_argument("--method", default="simclr", help="pretraining system (default: simclr)")
    p.add_argument("--encoder", default="transformer-nano", help="a transformer (default: transformer-nano)")
    p.add_argument("--batch", type=int, default=128, help="recordings in a batch (default: 128)")
    p.add_argument("--rounds", type=int, default=3, help="turns of each way (default: 3)")
    p.add_argument("--threads", type=int, default=1, help="threads (default: 1)")
    options = p.parse_args()
    if min(options.batch, options.rounds, options.threads) < 1:
        p.error("--batch, --rounds and --threads are at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
