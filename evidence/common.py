"""What the scripts share: the data, a training without ceremony, and figures over seeds."""

import functools
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anyview.data import open as open_data
from anyview.data.loader import batches
from anyview.data.source import Dataset
from anyview.evaluation.features import Features, Split
from anyview.evaluation.protocols import judge
from anyview.evaluation.result import Figure
from anyview.methods.base import Method
from anyview.objectives.spectrum import rankme
from anyview.training.model import Model
from anyview.training.options import OptimizerOptions
from anyview.training.plan import make_plan, method_class
from anyview.training.precision import pick_device
from anyview.training.run import train
from anyview.training.supervised import fit


@functools.cache
def _opened(size: int) -> Dataset:
    """CIFAR-10, decoded once a process."""
    return open_data("cifar10", size=size)


def cifar10(size: int = 16, train: int = 8000, test: int = 4000) -> Dataset:
    """CIFAR-10 at ``size`` pixels: the first ``train`` and ``test`` images, a tenth of train to choose on."""
    whole = _opened(size)
    parts = {
        "train": whole.train.take(torch.arange(train)),
        "test": whole.split("test").take(torch.arange(test)),
    }
    return Dataset("cifar10", whole.modality, parts).with_validation(0.1, seed=0)


#: a ViT as small as it learns, for masked systems in minutes
SMALL_VIT = {"encoder__name": "vit-nano", "encoder__dim": 64, "encoder__depth": 3, "encoder__heads": 4}


def pretrained(
    method: str,
    data: Dataset,
    seed: int,
    epochs: int,
    swap: Callable[[Method], Method] | None = None,
    **options: Any,
) -> tuple[Method, Model]:
    """Trains for ``epochs`` (options by name; ``section__name`` for those that stand in two sections).

    ``swap`` makes, of the method as it was built, another one that trains in its place on the same views.
    """
    named = {k.replace("__", "."): v for k, v in options.items()} | {
        "training.epochs": epochs,
        "health": False,
    }
    if (
        data.modality == "image"
        and (method_class(method).encoder_for or method_class(method).needs) != "tokens"
        and named.get("encoder.name", "convnet-s") == "convnet-s"
    ):
        # six convolutions, as small as they learn
        named = {"encoder.name": "convnet-s", "encoder.width": 16} | named
    plan = make_plan(method, data, options=named, seed=seed)
    plan.method = plan.method if swap is None else swap(plan.method)
    with tempfile.TemporaryDirectory() as run:
        return plan.method, train(plan, Path(run))


def supervised(model: Model, data: Dataset, seed: int, steps: int, **options: Any) -> Model:
    """The same network from fresh weights, trained for ``steps`` with the labels of train; options of the optimiser."""
    encoder = fit(model, data.train, steps, seed, pick_device("auto"), options=OptimizerOptions(**options))[0]
    return Model(encoder, model.modality, model.spec)


def judged(
    embed: Callable[[Any], Tensor], data: Dataset, protocols: Iterable[str] = ("knn", "linear")
) -> dict[str, float]:
    """Figures by protocol and the effective rank of the test embeddings. Shares of 1 are in percent; a protocol
    with several metrics gives each by its name, as ``regression`` gives ``r2`` (percent) and ``rmse``."""
    x = {name: embed(data.splits[name]) for name in ("train", "validation", "test")}
    features = Features(**{name: Split(v, data.splits[name].label) for name, v in x.items()})
    results = judge({"it": features}, tuple(protocols))
    several = {r.protocol for r in results if sum(r.protocol == other.protocol for other in results) > 1}
    figures = {
        r.metric if r.protocol in several else r.protocol: (100 if r.measure.percent else 1)
        * r.figures["it"].mean
        for r in results
    }
    return figures | {"rank": float(rankme(x["test"]))}


Figures = dict[str, dict[str, float]]  #: row -> metric -> figure


Part = Callable[[int, int], Figures]  #: (budget, seed) -> rows

#: seconds of a processor that each job took: wall time says as much about what else the machine did
SPENT: list[float] = []


def timed(part: Part, budget: int, seed: int) -> tuple[Figures, float]:
    """The rows, and the seconds of a processor they took."""
    start = time.process_time()
    return part(budget, seed), time.process_time() - start


def over_seeds(parts: Part | Sequence[Part], budget: int, seeds: list[int]) -> dict[str, "Row"]:
    """The rows of ``one(budget, seed)`` over seeds, in order; of several parts that each give some of the rows.

    Every part and seed runs in a process with one thread, one a core at a time: nets as small as these gain
    nothing from a second thread.
    """
    parts = [parts] if callable(parts) else list(parts)
    jobs = [(part, seed) for part in parts for seed in seeds]
    with ProcessPoolExecutor(min(len(jobs), os.cpu_count() or 1), get_context("spawn"), one_thread) as pool:
        running = [pool.submit(timed, part, budget, seed) for part, seed in jobs]
        ended, waiting = wait(running, return_when=FIRST_EXCEPTION)
        if waiting:  # one of those that ended failed, so the others would be for nothing
            pool.shutdown(wait=False, cancel_futures=True)
        found, seconds = zip(*[job.result() for job in (ended if waiting else running)])
    SPENT.extend(seconds)
    groups = [found[i : i + len(seeds)] for i in range(0, len(found), len(seeds))]
    return {
        name: Row.over(name, [figures[name] for figures in group]) for group in groups for name in group[0]
    }


def one_thread() -> None:
    torch.set_num_threads(1)


@torch.no_grad()
def projected(method: Method, model: Model, head: Callable[[Tensor], Tensor]) -> Callable[[Any], Tensor]:
    """Embeds by the encoder and the head that pretraining throws away."""

    def embed(source: Any) -> Tensor:
        parts = [head(method.encoder(model.modality.inputs(b.x, model.spec))) for b in batches(source, 256)]
        return torch.cat(parts).float()

    return torch.no_grad()(embed)


@dataclass(frozen=True)
class Row:
    """A line of the table: what was judged, and each figure over seeds."""

    name: str
    figures: dict[str, Figure]

    @staticmethod
    def over(name: str, runs: list[dict[str, float]]) -> "Row":
        """Means and deviations over seeds of what ``judged`` gave."""
        return Row(name, {k: Figure.over(torch.tensor([r[k] for r in runs])) for k in runs[0]})

    def __getitem__(self, metric: str) -> float:
        return self.figures[metric].mean

    def record(self) -> dict[str, Any]:
        figures = {
            k: {"mean": round(f.mean, 4), "std": round(f.std, 4), "n": f.n} for k, f in self.figures.items()
        }
        return {"name": self.name, "figures": figures}


@dataclass(frozen=True)
class Check:
    """One thing that must hold: ``value`` at least (or, with ``below``, less than) ``needed``."""

    text: str
    value: float
    needed: float
    below: bool = False

    @property
    def holds(self) -> bool:
        return self.value < self.needed if self.below else self.value >= self.needed

    def record(self) -> dict[str, Any]:
        return {"text": self.text, "value": round(self.value, 4), "needed": self.needed, "holds": self.holds}


@dataclass(frozen=True)
class Headline:
    """What a kind of data is summed up by: a figure of three rows. ``raw`` is None where nothing raw compares."""

    metric: str
    pretrained: str
    untrained: str
    raw: str | None


@dataclass(frozen=True)
class Evidence:
    rows: list[Row]
    checks: list[Check]


def baselines(
    data: Dataset, model: Model, seed: int, protocols: Iterable[str] = ("knn", "linear")
) -> Figures:
    """What an encoder must beat: the same one untrained, and raw features."""
    return {
        "untrained encoder": judged(model.untrained(data.train, seed).embed_source, data, protocols),
        model.modality.raw_name: judged(model.raw(data.train), data, protocols),
    }
