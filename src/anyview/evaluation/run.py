"""From a model and data to figures: embeds once, beside an untrained encoder and raw features, and judges."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

import anyview.data as data_room
from anyview.data.source import Dataset, Source
from anyview.errors import InputError
from anyview.evaluation.features import Features, Split
from anyview.evaluation.protocols import judge
from anyview.evaluation.result import Result, with_supervised
from anyview.training.model import Model
from anyview.training.supervised import train_supervised


def evaluate(
    model: Model,
    train: Any,
    test: Any = None,
    *,
    protocols: Sequence[str] | None = None,
    label: str | None = None,
    supervised: bool = False,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Judges a pretrained encoder beside the same encoder untrained and the raw features.

    Fits on train, chooses on validation (a tenth of train where there is none), reads test once.

    Args:
        model: from ``pretrain`` or ``load``.
        train: data with labels: all its splits, or the training split when ``test`` is given. Without a test
            split a fifth of the samples is held out for it.
        test: data with labels that nothing is chosen on.
        protocols: ``fewshot``, ``linear``, ``knn``; None takes those of the modality.
        label: name of the column with labels.
        supervised: also train the encoder from scratch with the labels.
        seed: of draws, of the held-out samples, and of the untrained encoder.
        say: told what is being done.

    Raises:
        InputError: when labels are missing or the data cannot be read as what the encoder was trained on.
    """
    splits = open_splits(model, train, test, label=label, seed=seed)
    say("embedding")
    features_of = model.raw(splits["train"])
    raw = {name: features_of(source) for name, source in splits.items()}
    read = {name: x.isfinite().all(1) for name, x in raw.items()}  # a file may vanish after it was listed

    def features(embed: Callable[[Source], Tensor]) -> Features:
        return Features(**{n: Split(embed(s)[read[n]], _kept(s.label, read[n])) for n, s in splits.items()})

    representations = {
        "pretrained": features(model.embed_source),
        "untrained": features(model.untrained(splits["train"], seed).embed_source),
        "raw": Features(**{n: Split(x[read[n]], _kept(splits[n].label, read[n])) for n, x in raw.items()}),
    }
    say("judging")
    results = judge(representations, protocols or model.modality.protocols, seed)
    if supervised:
        say("training with labels")
        correct = train_supervised(model, splits["train"], splits["validation"], splits["test"], seed=seed)
        results = with_supervised(results, correct, seed)
    return results


def open_splits(
    model: Model, train: Any, test: Any = None, *, label: str | None = None, seed: int = 0
) -> dict[str, Source]:
    """The three splits of labelled data, read as the model's training data was."""

    def read(data: Any) -> Dataset:
        return data_room.open(data, modality=model.modality.name, label=label, like=model.spec)

    dataset = read(train)
    if test is not None:
        held = read(test)
        split = held.splits.get("test") or next(iter(held.splits.values()))
        if split.label_names != dataset.label_names and split.label_names and dataset.label_names:
            raise InputError(f"{held.name} and {dataset.name} do not have the same classes")
        dataset = Dataset(dataset.name, dataset.modality, {"train": dataset.train, "test": split})
    for name, split in dataset.splits.items():
        if split.label is None:
            raise InputError(
                f"evaluate needs labels; {dataset.name} has none in {name}. "
                "Name their column with --label, or put samples into a folder a class"
            )
    dataset = dataset.with_test(0.2, seed).with_validation(0.1, seed)
    return {name: dataset.splits[name] for name in ("train", "validation", "test")}


def _kept(label: Tensor | None, read: Tensor) -> Tensor | None:
    return None if label is None else label[read]
