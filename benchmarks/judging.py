"""``python -m benchmarks.judging``: the protocols ``knn`` and ``linear`` beside what people write by hand.

50,000 + 10,000 generated embeddings of 512 dimensions in classes. Nearest neighbours (k = 200) against the loop over
lightly's ``knn_predict``; the linear layer, its choice of penalty included, against 100 epochs of SGD. All take turns
in one process. Figures are kept in ``results/judging.json``.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor

from anyview.evaluation.features import Labelled, standardiser
from anyview.evaluation.logistic import SoftmaxRegression
from anyview.evaluation.neighbours import BLOCK
from anyview.evaluation.protocols.knn import KNN, TEMPERATURE
from anyview.evaluation.protocols.linear import Linear
from anyview.products import quick_products
from anyview.training.precision import has_bf16
from benchmarks import machine
from benchmarks.roofline import best

RESULT = Path(__file__).parent / "results" / "judging.json"
TRAIN, TEST, DIM, CLASSES = 50_000, 10_000, 512, 10
APART = 32  #: axes along which classes differ
NEIGHBOURS, BATCH, EPOCHS = 200, 256, 100
TARGETS = {"knn vs lightly": 2.0, "linear vs SGD": 5.0}  #: times as quick


def main() -> int:
    options = _options()
    start, here = time.monotonic(), machine.describe()
    console = Console(highlight=False)
    console.print(machine.said(here))
    raw = speed(options.rounds)
    found = ratios(raw)
    for name, values in found.items():
        middle = statistics.median(values)
        console.print(f"{name:<16} {middle:.2f} times as quick (needed: {TARGETS[name]:g})")
    console.print(f"same predictions {100 * raw['agreement']:.2f} % · accuracy {raw['accuracy']}")
    held = all(statistics.median(values) >= TARGETS[name] for name, values in found.items())
    equal = raw["agreement"] >= 0.9999 and raw["accuracy"]["linear"] >= raw["accuracy"]["SGD"]
    record = {
        **machine.about(start, here),
        "settings": {"train": TRAIN, "test": TEST, "dim": DIM, "classes": CLASSES, "rounds": options.rounds},
        "targets": {name: TARGETS[name] for name in found},
        "ratios": {name: [round(value, 3) for value in values] for name, values in found.items()},
        "holds": held and equal,
        **raw,
    }
    machine.keep(RESULT, record)
    return 0


def ratios(raw: dict[str, Any]) -> dict[str, list[float]]:
    """How many times as quick as its peer, round by round, so that a machine that slows down slows both."""
    seconds = raw["seconds"]
    return {
        "knn vs lightly": [b / a for a, b in zip(seconds["knn"], seconds["lightly"])],
        "linear vs SGD": [b / a for a, b in zip(seconds["linear"], seconds["SGD"])],
    }


def speed(rounds: int) -> dict[str, Any]:
    """Seconds of each contestant in every round, accuracy of each, and the share of test samples that both searches
    of neighbours name alike."""
    train, test = embeddings()
    contestants: dict[str, Callable[[], Tensor]] = {
        "lightly": lambda: by_lightly(train, test.x),
        "knn": lambda: by_knn(train, test.x),
        "SGD": lambda: by_sgd(train, test.x),
        "linear": lambda: by_linear(train, test.x),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    named: dict[str, Tensor] = {}
    for turn in range(rounds + 1):  # the first turn finds pages and threads cold, and does not count
        for name, contestant in contestants.items():
            start = time.perf_counter()
            named[name] = contestant()
            if turn:
                seconds[name].append(round(time.perf_counter() - start, 3))
    return {
        "seconds": seconds,
        "accuracy": {name: float((found == test.label).double().mean()) for name, found in named.items()},
        "agreement": float((named["knn"] == named["lightly"]).double().mean()),
        "bounds": bounds(train, test),
    }


def bounds(train: Labelled, test: Labelled) -> dict[str, float]:
    """What no way of writing the two can spare: seconds of the product of all similarities, in the format that the
    search takes; passes over the data that the linear layer makes, and seconds of the two products of each."""
    kind = torch.bfloat16 if has_bf16(torch.device("cpu")) else torch.float32
    bank, queries = (F.normalize(split.x, dim=1).to(kind) for split in (train, test))
    rows = BLOCK // len(bank)
    passes, entropy = [], SoftmaxRegression._entropy

    def counted(*given: Any) -> Any:
        passes.append(1)
        return entropy(*given)

    with patch.object(SoftmaxRegression, "_entropy", counted):
        by_linear(train, test.x)
    fitted, weight = train.x[TRAIN // 10 :], torch.randn(CLASSES, DIM)
    with quick_products():
        return {
            "similarities": best(lambda: [part @ bank.T for part in queries.split(rows)]),
            "passes": len(passes),
            "pass": best(lambda: [(weight @ part.T) @ part for part in fitted.split(2048)]),
        }


def embeddings() -> tuple[Labelled, Labelled]:
    """Normal classes that overlap, as those of a trained network do: centres differ along the first ``APART`` axes, and
    the deviation falls from axis to axis. Axes are turned, so that none stands alone."""
    g = torch.Generator().manual_seed(0)
    spread = torch.arange(1, DIM + 1).float().pow(-0.4)
    centres = 0.56 * torch.randn(CLASSES, DIM, generator=g) * (torch.arange(DIM) < APART)
    turn = torch.linalg.qr(torch.randn(DIM, DIM, generator=g)).Q

    def split(count: int) -> Labelled:
        label = torch.randint(CLASSES, (count,), generator=g)
        return Labelled((centres[label] + torch.randn(count, DIM, generator=g)) * spread @ turn, label)

    return split(TRAIN), split(TEST)


def by_lightly(train: Labelled, x: Tensor) -> Tensor:
    """The loop of lightly's benchmarks over batches of test."""
    from lightly.utils.benchmarking.knn import knn_predict

    bank = F.normalize(train.x, dim=1).t().contiguous()
    parts = F.normalize(x, dim=1).split(BATCH)
    return torch.cat(
        [knn_predict(p, bank, train.label, CLASSES, NEIGHBOURS, TEMPERATURE)[:, 0] for p in parts]
    )


def by_knn(train: Labelled, x: Tensor) -> Tensor:
    """The protocol's search with the same number of neighbours."""
    knn = KNN(train, Labelled(train.x[:1], train.label[:1]))
    knn.k = NEIGHBOURS  # which would be chosen on validation
    return knn(x)[0]


def by_linear(train: Labelled, x: Tensor) -> Tensor:
    """The protocol: a tenth of train chooses the penalty."""
    cut = TRAIN // 10
    return Linear(Labelled(train.x[cut:], train.label[cut:]), Labelled(train.x[:cut], train.label[:cut]))(x)[
        0
    ]


def by_sgd(train: Labelled, x: Tensor) -> Tensor:
    """100 epochs on all of train, rate 0.1 along a cosine to zero, momentum 0.9; batches cost no loading."""
    torch.manual_seed(0)
    standardise = standardiser(train.x)
    z, layer = standardise(train.x), torch.nn.Linear(DIM, CLASSES)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for picked in torch.randperm(TRAIN).split(BATCH):
            F.cross_entropy(layer(z[picked]), train.label[picked]).backward()
            optimizer.step()
            optimizer.zero_grad()
        schedule.step()
    with torch.no_grad():
        return layer(standardise(x)).argmax(1)


def _options() -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="python -m benchmarks.judging", description=__doc__.partition("\n")[0])
    p.add_argument("--rounds", type=int, default=3, help="turns of each contestant (default: 3)")
    options = p.parse_args()
    if options.rounds < 1:
        p.error("--rounds is at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
