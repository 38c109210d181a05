"""Accuracy at several budgets of labels: fine-tuned, from scratch by the same recipe, and by a linear probe."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from anyview.data.source import Source
from anyview.errors import InputError
from anyview.evaluation.features import Features, Split
from anyview.evaluation.protocols import judge
from anyview.evaluation.suites.base import CHOOSING, draw
from anyview.evaluation.utility import UtilityStudy
from anyview.training.model import Model
from anyview.training.precision import pick_device
from anyview.training.supervised import answers, fit


@dataclass(frozen=True)
class Sweep:
    """Accuracies on test, one a budget."""

    labels: list[int]
    finetuned: list[float]
    scratch: list[float]
    linear: list[float]

    @property
    def utility(self) -> UtilityStudy:
        return UtilityStudy([float(n) for n in self.labels], self.finetuned, self.scratch)


def label_sweep(
    model: Model,
    train: Source,
    test: Source,
    budgets: Sequence[int],
    *,
    steps: int = 500,
    views: str = "tokens",
    seed: int = 0,
) -> Sweep:
    """Trains with more and more labels, from the model's weights and from fresh ones.

    Labels are drawn equally from all classes, and every budget holds those of the ones below it. Both starts have the
    same number of steps at every budget, and nothing is tuned for either; the linear probe chooses its penalty on a
    fifth of the labels.

    Args:
        budgets: numbers of labelled samples of train.
        steps: of each training.
        views: what is trained on, as methods name their needs.

    Raises:
        InputError: for labels that are missing, or fewer than a budget.
    """
    if train.label is None or test.label is None:
        raise InputError("a sweep over labels needs labels in train and test")
    whole = {"train": model.embed_source(train), "test": model.embed_source(test)}
    found = Sweep(list(budgets), [], [], [])
    for count in budgets:
        picked = draw(train.label, count, seed)
        part = train.take(picked)
        found.finetuned.append(tuned(model, part, test, steps, views=views, seed=seed))
        found.scratch.append(tuned(model, part, test, steps, views=views, seed=seed, fresh=True))
        every = round(1 / CHOOSING)
        choose = torch.arange(len(picked)) % every == every - 1
        fitted, chosen = (Split(whole["train"][r], train.label[r]) for r in (picked[~choose], picked[choose]))
        features = Features(fitted, chosen, Split(whole["test"], test.label))
        (result,) = judge({"it": features}, ("linear",))
        found.linear.append(result.figures["it"].mean)
    return found


def tuned(
    model: Model,
    train: Source,
    test: Source,
    steps: int,
    *,
    views: str = "tokens",
    seed: int = 0,
    fresh: bool = False,
) -> float:
    """Accuracy on test of encoder and linear head, trained on all labels of ``train`` by one recipe.

    Args:
        fresh: starts from new weights of the same network.
    """
    device = pick_device("auto")
    start = None if fresh else copy.deepcopy(model.encoder)
    network = fit(model, train, steps, seed, device, start, views=views)
    answer, label = answers(model, network, test, device)
    return float((answer.argmax(1) == label).double().mean())
