"""What a protocol found: one figure with its spread for every representation that was judged."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from anyview.evaluation.metrics import Metric, metric

RESAMPLES = 200
TITLES = {
    "linear": "all labels, linear",
    "knn": "nearest neighbours",
    "auc": "linear, ROC-AUC",
    "sts": "similarity of pairs",
    "zeroshot": "by names of classes",
}


@dataclass(frozen=True)
class Figure:
    """A mean with its spread.

    Attributes:
        mean: the metric; shares as a fraction, not in percent.
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
    def bootstrap(correct: Shaped[Tensor, "samples"], seed: int = 0) -> "Figure":
        """Share of samples that are ``correct``; its spread is the sampling error of the test split (bootstrap,
        seeded)."""
        return Figure.resampled(lambda values: float(values.mean()), correct.double(), seed=seed)

    @staticmethod
    def resampled(statistic: Callable[..., float], *values: Tensor, seed: int = 0) -> "Figure":
        """A statistic of test samples, with its deviation over resamples of them (bootstrap, seeded).

        Resamples for which it is not defined (NaN), such as those of one class only, are left out.

        Args:
            statistic: of tensors with the samples first, as ``values`` are.
        """
        values = tuple(value.cpu() for value in values)
        samples, draw = len(values[0]), torch.Generator().manual_seed(seed)
        found = []
        for _ in range(RESAMPLES):
            pick = torch.randint(samples, (samples,), generator=draw)
            found.append(statistic(*(value[pick] for value in values)))
        kept = torch.tensor([value for value in found if value == value], dtype=torch.float64)
        return Figure(statistic(*values), float(kept.std()) if len(kept) > 1 else 0.0, RESAMPLES)


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

    @property
    def measure(self) -> Metric:
        """Direction and unit of the metric."""
        return metric(self.metric)

    def gain(self, name: str, other: str) -> float:
        """By how much ``name`` is better than ``other``, whichever direction is better; negative when worse."""
        difference = self.figures[name].mean - self.figures[other].mean
        return difference if self.measure.higher else -difference

    def above(self, name: str, other: str) -> bool:
        """Whether ``name`` is clearly better: by more than twice the standard error of the difference.

        The two are taken as independent; they share test samples and draws, so this is the cautious side.
        """
        return self.gain(name, other) > 2 * math.hypot(self.error(name), self.error(other))

    def best(self, names: Sequence[str]) -> str | None:
        """The one of ``names`` with the best figure, the first of equals; None when there are none."""
        sign = 1 if self.measure.higher else -1
        return max(names, key=lambda name: sign * self.figures[name].mean, default=None)

    @property
    def baseline(self) -> str | None:
        """The better of raw features and the untrained encoder here; None when neither was judged."""
        return self.best([name for name in ("raw", "untrained") if name in self.figures])

    @property
    def title(self) -> str:
        """The protocol as a row of a table names it, such as ``5 labels a class``."""
        name, _, rest = self.protocol.partition("-")
        if name == "fewshot":
            return f"{rest} label{'' if rest == '1' else 's'} a class"
        if name == "retrieval":
            return f"{rest.replace('-', ' → ')}, {self.measure.title}"
        if name == "forecast":
            return f"next {rest} steps, {self.measure.title}"
        if name == "regression":
            return f"ridge regression, {self.measure.title}"
        return TITLES.get(self.protocol, self.protocol)


#: rows that the network trained with the labels stands in
SUPERVISED = ("linear", "auc", "regression")


def with_supervised(results: Sequence[Result], figures: Mapping[str, Figure]) -> list[Result]:
    """Adds the network trained with the labels, from scratch, to the rows of ``SUPERVISED``.

    Args:
        figures: metric -> its figure on the test split.
    """
    return [
        Result(r.protocol, r.metric, r.split, {**r.figures, "supervised": figures[r.metric]})
        if r.protocol in SUPERVISED and r.metric in figures
        else r
        for r in results
    ]
