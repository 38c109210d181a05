"""What a protocol is: it answers without the labels of test, and is then measured by them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Int
from torch import Tensor

from anyview.data.source import Source
from anyview.evaluation.features import Aimed, Features, Labelled, labelled, unlabelled
from anyview.evaluation.pairs import Sides
from anyview.evaluation.result import Figure
from anyview.training.model import Model

#: answers for new embeddings: labels ``(draws, samples)``, or what the protocol measures
Predict = Callable[[Any], Any]
#: (train, validation, seed) -> predict
Fit = Callable[[Any, Any, int], Any]
#: (row of the table, metric) -> figure
Rows = dict[tuple[str, str], Figure]


@dataclass(frozen=True, eq=False)
class Case:
    """One representation of a dataset, as a protocol may see it. Of test there are no labels.

    Attributes:
        train: to fit on.
        validation: to choose on.
        x: embeddings of test.
        source: the samples of test, where they are at hand, without their labels.
        model: what embeds, for protocols that train it on; None for raw features and vectors made elsewhere.
        embed: makes this representation of other samples; None for vectors made elsewhere.
        maps: makes vectors of every part of other samples; see ``Features``.
    """

    train: Any
    validation: Any
    x: Tensor
    source: Source | None = None
    model: Model | None = None
    embed: Callable[[Source], Tensor] | None = None
    maps: Callable[[Source], Tensor] | None = None
    seed: int = 0
    _fits: dict[Fit, Any] = field(default_factory=dict)

    @staticmethod
    def of(features: Features, parts: tuple[Any, Any, Any], seed: int) -> "Case":
        """The case of features whose ``parts`` are train, validation and test as the protocol takes them."""
        train, validation, test = parts
        source = unlabelled(test.source)
        return Case(train, validation, test.x, source, features.model, features.embed, features.maps, seed)

    def fitted(self, fit: Fit) -> Any:
        """What ``fit`` makes of train and validation; protocols that share a probe share its fit."""
        if fit not in self._fits:
            self._fits[fit] = fit(self.train, self.validation, self.seed)
        return self._fits[fit]


@dataclass(frozen=True)
class Groups:
    """Which group each test sample is of, below 0 for none, and what the groups are called."""

    index: Int[Tensor, "samples"]
    names: list[str]

    @staticmethod
    def of(source: Source | None) -> "Groups | None":
        if source is None or source.group is None:
            return None
        count = int(source.group.max()) + 1
        return Groups(source.group, source.group_names or [str(i) for i in range(count)])


@dataclass(frozen=True)
class PairCase:
    """Both sides of the pairs of test by one representation.

    Attributes:
        names: what the sides are called.
        words: embeddings of the names of the classes, in their order, where there are some.
        known: sides and labels of train and validation, to choose on, where there are some.
    """

    sides: Sides
    names: tuple[str, str] = ("first", "second")
    words: Tensor | None = None
    known: tuple[Sides, Tensor] | None = None


class Protocol:
    """One way to judge a representation; one instance each, ``PROTOCOL``, in a file of this package.

    ``answer`` does all that is fitted and chosen, and is never given a label of test; ``measure`` compares what
    it answered with them.

    Attributes:
        name: what users ask for.
        paired: whether it judges the sides of pairs (:class:`PairCase`) rather than embeddings (:class:`Case`).
            Only ``zeroshot`` is given words, and ``pair-classification`` what is known: embedding costs.
    """

    name: str
    paired: bool = False

    def parts(
        self, name: str, features: Features
    ) -> tuple[Labelled, Labelled, Labelled] | tuple[Aimed, Aimed, Aimed]:
        """Train, validation and test as it takes them, of the representation ``name``: classes by default."""
        return labelled(name, features)

    def answer(self, case: Any) -> Any:
        """What is to be measured; None when this representation cannot be judged so and is left out."""
        raise NotImplementedError

    def measure(self, answer: Any, label: Any, seed: int) -> Rows:
        """Figures of the answers against the labels of test; resamples follow ``seed``."""
        raise NotImplementedError

    def measure_groups(self, answer: Any, label: Any, groups: Groups, seed: int) -> Rows:
        """Figures of the answers by groups of the test samples, where it has some."""
        return {}


class Classification(Protocol):
    """Classifiers that answer ``(draws, samples)`` labels, judged by accuracy.

    Args:
        rows: row of the table -> what fits its classifier.
    """

    def __init__(self, name: str, rows: dict[str, Fit]) -> None:
        self.name, self.rows = name, rows

    def answer(self, case: Case) -> dict[str, Tensor]:
        return {row: case.fitted(fit)(case.x) for row, fit in self.rows.items()}

    def measure(self, answer: dict[str, Tensor], label: Tensor, seed: int) -> Rows:
        return {(row, "accuracy"): accuracy(predicted.eq(label), seed) for row, predicted in answer.items()}


def accuracy(correct: Tensor, seed: int) -> Figure:
    """Accuracy of ``(draws, samples)``: over draws where there are several, else with the sampling error."""
    return Figure.over(correct.double().mean(1)) if len(correct) > 1 else Figure.bootstrap(correct[0], seed)
