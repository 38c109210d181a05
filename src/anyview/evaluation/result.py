"""What a protocol found: one figure with its spread for every representation that was judged."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

RESAMPLES = 200


@dataclass(frozen=True)
class Figure:
    """A mean with its spread.

    Attributes:
        mean: the metric as a fraction, 0 to 1.
        std: its spread. Few-shot: standard deviation over draws of the labelled samples. One fit on all
            labels: sampling error of the test split (standard deviation over bootstrap resamples of it).
        n: number of draws or resamples behind ``std``.
    """

    mean: float
    std: float
    n: int

    @staticmethod
    def over(values: Shaped[Tensor, "n"]) -> "Figure":
        """Mean and standard deviation of one value a draw or seed."""
        values = values.double()
        return Figure(float(values.mean()), float(values.std()) if len(values) > 1 else 0.0, len(values))

    @staticmethod
    def bootstrap(correct: Bool[Tensor, "samples"], seed: int = 0) -> "Figure":
        """Share of ``correct``; its spread is the sampling error of the test split (bootstrap, seeded)."""
        values, samples = correct.double().cpu(), len(correct)
        draw = torch.Generator().manual_seed(seed)
        means = [values[torch.randint(samples, (samples,), generator=draw)].mean() for _ in range(RESAMPLES)]
        return Figure(float(values.mean()), float(torch.stack(means).std()), RESAMPLES)


@dataclass(frozen=True)
class Result:
    """One protocol's figures, by representation: ``pretrained``, ``untrained``, ``raw``, ``supervised``."""

    protocol: str  #: "knn", "linear", "fewshot-1", ...
    metric: str
    split: str
    figures: dict[str, Figure]

    def record(self) -> dict[str, Any]:
        """The entry of ``evaluate --json``."""
        return {
            "protocol": self.protocol,
            "metric": self.metric,
            "split": self.split,
            "figures": {name: {"mean": f.mean, "std": f.std, "n": f.n} for name, f in self.figures.items()},
        }

    @staticmethod
    def from_record(record: dict[str, Any]) -> "Result":
        """The result that ``record()`` was made from; other keys are ignored."""
        figures = {k: Figure(f["mean"], f["std"], f["n"]) for k, f in record["figures"].items()}
        return Result(record["protocol"], record["metric"], record["split"], figures)

    def error(self, name: str) -> float:
        """Standard error of a mean.

        Few-shot: of the mean over draws, on this test split. Otherwise the spread is one already.
        """
        figure = self.figures[name]
        return figure.std / math.sqrt(figure.n) if self.protocol.startswith("fewshot") else figure.std

    def above(self, name: str, other: str) -> bool:
        """Whether ``name`` is clearly better: by more than twice the standard error of the difference.

        The two are taken as independent; they share test samples and draws, so this is the cautious side.
        """
        gain = self.figures[name].mean - self.figures[other].mean
        return gain > 2 * math.hypot(self.error(name), self.error(other))

    @property
    def baseline(self) -> str | None:
        """The better of raw features and the untrained encoder here; None when neither was judged."""
        known = [name for name in ("raw", "untrained") if name in self.figures]
        return max(known, key=lambda name: self.figures[name].mean, default=None)

    @property
    def title(self) -> str:
        """The protocol as a row of a table names it, such as ``5 labels a class``."""
        name, _, shots = self.protocol.partition("-")
        if name == "fewshot":
            return f"{shots} label{'' if shots == '1' else 's'} a class"
        return {"linear": "all labels, linear", "knn": "nearest neighbours"}.get(name, self.protocol)


def with_supervised(
    results: Sequence[Result], correct: Bool[Tensor, "samples"], seed: int = 0
) -> list[Result]:
    """Adds the network trained with the labels, from scratch, to the ``linear`` row.

    Args:
        correct: whether it was right on each sample of the test split; the spread is the bootstrap over them.
    """
    figure = Figure.bootstrap(correct, seed)
    return [
        Result(r.protocol, r.metric, r.split, {**r.figures, "supervised": figure})
        if r.protocol == "linear"
        else r
        for r in results
    ]
