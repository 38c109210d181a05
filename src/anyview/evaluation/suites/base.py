"""What a suite is: tasks as data, the published protocol they follow, and where they deviate from it."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor

import anyview.data as data_room
from anyview.data.source import Dataset, Source
from anyview.errors import InputError
from anyview.modalities.base import Spec

CHOOSING = 0.2  #: share of labels that are only chosen on, where a task has a fixed number of them


@dataclass(frozen=True)
class Task:
    """One question asked of an encoder.

    Attributes:
        data: what ``anyview.open`` takes, a named dataset as a rule.
        group: whose mean it counts in.
        label: column of the labels; None takes the usual one.
        split: the only split that is used of the data, which is then cut; None uses them as they are.
        protocol: of ``evaluation/protocols``.
        metric: of that protocol's, the one that counts.
        labels: number of labelled samples, drawn from train; None takes all.
    """

    name: str
    data: str
    group: str
    label: str | None = None
    split: str | None = None
    protocol: str = "linear"
    metric: str = "accuracy"
    labels: int | None = None

    def open(self, modality: str, like: Spec | None = None) -> Dataset:
        """All its samples, read as ``like`` was."""
        return data_room.open(self.data, modality=modality, label=self.label, split=self.split, like=like)

    def drawn(self, dataset: Dataset, seed: int) -> Dataset:
        """The labelled samples of this seed, four fifths to fit and one fifth to choose on; test stays whole."""
        if self.labels is None:
            return dataset
        source = dataset.train
        if source.label is None:
            raise InputError(f"{self.name} needs labels; {dataset.name} has none in train")
        picked = draw(source.label, self.labels, seed)
        if "test" in dataset.splits:
            test = dataset.split("test")
        else:
            left = torch.ones(len(source), dtype=torch.bool)
            left[picked] = False
            test = source.take(left.nonzero()[:, 0])
        chosen = Dataset(dataset.name, dataset.modality, {"train": source.take(picked), "test": test})
        return chosen.with_validation(CHOOSING, seed)


@dataclass(frozen=True)
class Suite:
    """Tasks that are judged by one recipe.

    Attributes:
        follows: the published protocol, with its paper.
        deviations: where this is not that, a sentence each.
        learns: whether encoders may also be pretrained on the train samples of each task, as the published
            protocol does where sets have nothing in common that one network could read.
        instead: the protocol of encoders that cannot be judged by that of a task.
    """

    name: str
    modality: str
    follows: str
    deviations: tuple[str, ...]
    tasks: tuple[Task, ...]
    learns: bool = False
    instead: str = ""

    @property
    def groups(self) -> list[str]:
        return list(dict.fromkeys(task.group for task in self.tasks))

    def by(self, protocol: str | None) -> "Suite":
        """The same with another protocol for tasks of classes (``linear`` otherwise)."""
        if protocol is None:
            return self
        tasks = tuple(replace(t, protocol=protocol) if t.protocol == "linear" else t for t in self.tasks)
        if tasks == self.tasks:
            raise InputError(f"no task of {self.name} is judged by linear, so {protocol} stands for none")
        return replace(self, tasks=tasks)


def draw(label: Int[Tensor, "samples"], count: int, seed: int) -> Int[Tensor, "picked"]:
    """Places of ``count`` labelled samples, of every class as many as of every other as far as it has them, in order.

    Raises:
        InputError: when there are fewer.
    """
    known = (label >= 0).nonzero()[:, 0]
    if len(known) < count:
        raise InputError(f"there are {len(known):,} labelled samples of the {count:,} that are to be drawn")
    order = known[torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))]
    of_class = label[order]
    turn = torch.zeros(len(order), dtype=torch.int64)  # the first of every class go before the second of any
    for c in of_class.unique():
        mine = of_class == c
        turn[mine] = torch.arange(int(mine.sum()))
    return order[turn.argsort(stable=True)[:count]].sort().values


def first_of(source: Source, count: int, seed: int = 0) -> Source:
    """``count`` samples at random, or all where there are no more."""
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))
    return source.take(order[:count].sort().values)
