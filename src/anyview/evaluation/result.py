"""What a protocol found: one figure with its spread for every representation that was judged."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Shaped
from scipy.special import stdtrit
from torch import Tensor

from anyview.evaluation.metrics import Metric, metric
from anyview.evaluation.words import words

RESAMPLES = 200
COVERAGE = 0.95  #: of intervals


@dataclass(frozen=True)
class Figure:
    """A mean with its spread.

    Attributes:
        mean: the metric; shares as a fraction, not in percent.
        std: its spread. Few-shot: standard deviation over draws of the labelled samples. One fit on all
            labels: sampling error of the test split (standard deviation over bootstrap resamples of it).
        n: number of draws or resamples behind ``std``.
        low: lower end of the 95% interval, None where there is none. Over draws or seeds: Student's t of the mean.
            One fit: percentiles of the resamples.
        high: its upper end.
    """

    mean: float
    std: float
    n: int
    low: float | None = None
    high: float | None = None

    @staticmethod
    def over(values: Shaped[Tensor, "n"]) -> "Figure":
        """Mean and standard deviation of one value a draw or seed; the interval is that of the mean."""
        values, n = values.double(), len(values)
        mean = float(values.mean())
        if n < 2:
            return Figure(mean, 0.0, n)
        std = float(values.std())
        half = float(stdtrit(n - 1, (1 + COVERAGE) / 2)) * std / math.sqrt(n)
        return Figure(mean, std, n, mean - half, mean + half)

    @staticmethod
    def bootstrap(correct: Shaped[Tensor, "samples"], seed: int = 0) -> "Figure":
        """Share of samples that are ``correct``; its spread is the sampling error of the test split (bootstrap,
        seeded)."""
        return Figure.resampled(lambda values: float(values.mean()), correct.double(), seed=seed)

    @staticmethod
    def resampled(
        statistic: Callable[..., float], *values: Tensor, seed: int = 0, centred: bool = False
    ) -> "Figure":
        """A statistic of test samples, with its deviation over resamples of them (bootstrap, seeded).

        Resamples for which it is not defined (NaN), such as those of one class only, are left out.

        Args:
            statistic: of tensors with the samples first, as ``values`` are.
            centred: for statistics that resampling shifts, such as a least or a sum of distances: the interval is
                moved back by the shift.
        """
        values = tuple(value.cpu() for value in values)
        samples, draw = len(values[0]), torch.Generator().manual_seed(seed)
        found = []
        for _ in range(RESAMPLES):
            pick = torch.randint(samples, (samples,), generator=draw)
            found.append(statistic(*(value[pick] for value in values)))
        kept = torch.tensor([value for value in found if value == value], dtype=torch.float64)
        whole = statistic(*values)
        if len(kept) < 2:
            return Figure(whole, 0.0, RESAMPLES)
        ends = kept.quantile(kept.new_tensor([(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]))
        low, high = (ends + whole - kept.mean() if centred else ends).tolist()
        return Figure(whole, float(kept.std()), RESAMPLES, low, high)

    def record(self) -> dict[str, Any]:
        """As ``evaluate --json`` prints it; without an interval where there is none."""
        found = {"mean": self.mean, "std": self.std, "n": self.n}
        return found if self.low is None else found | {"low": self.low, "high": self.high}


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
            "figures": {name: figure.record() for name, figure in self.figures.items()},
        }

    @staticmethod
    def from_record(record: dict[str, Any]) -> "Result":
        """The result that ``record()`` was made from; other keys are ignored."""
        figures = {
            k: Figure(f["mean"], f["std"], f["n"], f.get("low"), f.get("high"))
            for k, f in record["figures"].items()
        }
        return Result(record["protocol"], record["metric"], record["split"], figures)

    def error(self, name: str) -> float:
        """Standard error of a mean.

        Of several draws: of the mean over them, on this test split. Otherwise the spread is one already.
        """
        figure = self.figures[name]
        return figure.std / math.sqrt(figure.n) if self.draws else figure.std

    @property
    def draws(self) -> str:
        """What was drawn several times, such as labels; empty where ± is the sampling error of test."""
        found = words(self.protocol)
        return found.draws if found else ""

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
        found = words(self.protocol, self.measure.title)
        return found.title if found else self.protocol

    @property
    def place(self) -> str:
        """The protocol as the end of a sentence, such as ``with 5 labels a class``."""
        found = words(self.protocol, self.measure.title)
        if found is None:
            return f"with {self.protocol}"
        told = found.several and self.measure.percent  # other units are named beside the figure
        return f"in {self.measure.title} {found.place}" if told else found.place


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
