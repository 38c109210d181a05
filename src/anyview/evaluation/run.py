"""From a model and data to figures: embeds once, beside an untrained encoder and raw features, and judges."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from anyview.data.open import open_column
from anyview.data.source import Dataset, Source
from anyview.errors import InputError, unknown
from anyview.evaluation import pairs
from anyview.evaluation.features import Features, Split
from anyview.evaluation.maps import feature_maps, pixel_maps
from anyview.evaluation.protocols import PROTOCOLS, judge_each, judge_pairs
from anyview.evaluation.protocols.auc import ranked
from anyview.evaluation.protocols.base import PairCase
from anyview.evaluation.protocols.regression import errors
from anyview.evaluation.result import SUPERVISED, Figure, Result, with_supervised
from anyview.evaluation.verdict import BASELINES
from anyview.training.model import Model
from anyview.training.supervised import train_supervised


def evaluate(
    model: Model,
    train: Any,
    test: Any = None,
    *,
    protocols: Sequence[str] | None = None,
    label: str | None = None,
    groups: str | None = None,
    supervised: bool = False,
    beside: Sequence[str] = BASELINES,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Judges a pretrained encoder beside the same encoder untrained and the raw features.

    Fits on train, chooses on validation (a tenth of train where there is none), reads test once.

    Args:
        model: from ``pretrain`` or ``load``.
        train: data with labels, or pairs: all its splits, or the training split when ``test`` is given. Without
            a test split a fifth of the samples is held out for it.
        test: data with labels that nothing is chosen on.
        protocols: names of files in ``evaluation/protocols``. None takes ``sts`` for pairs with scores,
            ``retrieval`` for pairs without label, ``regression`` for single samples with fractions, and else
            those of the modality.
        label: name of the column with labels.
        groups: name of a column whose values part the test samples; ``worst`` then gives figures of each group.
        supervised: also train the encoder from scratch with the labels.
        beside: what else is judged: ``untrained``, ``raw``, both or neither.
        seed: of draws, of the held-out samples, and of the untrained encoder.
        say: told what is being done.

    Raises:
        InputError: when labels are missing or the data cannot be read as what the encoder was trained on.
    """
    check_names(protocols)
    splits = open_splits(model, train, test, label=label, groups=groups, seed=seed)
    chosen = protocols or default_protocols(model, splits["test"])
    protocols = list(dict.fromkeys([*chosen, *(["worst"] if groups else [])]))
    paired = [name for name in protocols if PROTOCOLS[name].paired]
    fitted = [name for name in protocols if name not in paired]
    if fitted and "train" not in splits:
        raise InputError(
            f"{fitted[0]} needs samples to fit on; there is only a test split. Give train data too."
        )
    say("embedding")
    models = {"pretrained": model}
    if "untrained" in beside and model.renewable:
        models["untrained"] = model.untrained(splits.get("train", splits["test"]), seed)
    raw = "raw" in beside
    rows: dict[str, list[Result]] = {}
    if paired:
        cases = pair_cases(paired, models, splits, raw)
        rows |= judge_pairs(cases, paired, splits["test"].label, seed)
    if fitted:
        features = represent(models, splits, raw)
        say("judging")
        rows |= judge_each(features, fitted, seed)
    results = [result for name in protocols for result in rows[name]]
    if supervised and any(name in SUPERVISED for name in fitted):
        if model.pairs(splits["train"]):
            raise InputError("supervised training needs single samples; these are pairs. Leave it out.")
        say("training with labels")
        answer, truth = train_supervised(
            model, splits["train"], splits["validation"], splits["test"], seed=seed
        )
        results = with_supervised(results, measured(answer, truth, fitted, seed))
    return results


def check_names(protocols: Sequence[str] | None) -> None:
    """Raises InputError for a protocol that there is not, with the nearest one."""
    for name in protocols or ():
        if name not in PROTOCOLS:
            raise unknown("protocol", name, PROTOCOLS)


def default_protocols(model: Model, test: Source) -> Sequence[str]:
    """How these samples are judged when nobody says: by what their labels are."""
    fractions = test.label is not None and test.label.is_floating_point()
    if model.pairs(test):
        if test.label is None or fractions:
            return ["retrieval" if test.label is None else "sts"]
        return model.modality.protocols
    if test.label is None and test.segmentation is not None:
        return ["dense"]
    return ["regression"] if fractions else model.modality.protocols


def represent(models: dict[str, Model], splits: dict[str, Source], raw: bool = True) -> dict[str, Features]:
    """Features of every model, and raw ones unless they are left out, of samples that can be read.

    Pairs of one kind are classified by the difference and the product of their sides; pairs of two kinds (an
    image and its caption) as their encoder embeds both.
    """
    model, train = models["pretrained"], splits["train"]
    embeds: dict[str, Callable[[Source], Tensor]] = {n: one.embed_source for n, one in models.items()}
    if alike := model.alike(train):
        embeds = {n: partial(_compared, one.embed_sides) for n, one in models.items()}
    if raw:
        sides = model.raw_sides(train) if alike else None
        embeds["raw"] = model.raw(train) if sides is None else partial(_compared, sides)
    found = {name: {n: embed(s) for n, s in splits.items()} for name, embed in embeds.items()}
    # a file may vanish after it was listed: then nothing has features of it; of one alone it cannot be told
    read = {n: torch.stack([x[n].isfinite().all(1) for x in found.values()]).any(0) for n in splits}
    if len(found) == 1:
        read = {n: torch.ones_like(rows) for n, rows in read.items()}
    kept = {n: s.take(read[n].nonzero()[:, 0]) for n, s in splits.items()}
    return {
        name: Features(
            **{n: Split(x[read[n]], kept[n].label, kept[n]) for n, x in parts.items()},
            model=models.get(name),
            embed=embeds[name],
            maps=partial(feature_maps, models[name]) if name in models else partial(pixel_maps, model),
        )
        for name, parts in found.items()
    }


def _compared(embed: Callable[[Source], tuple[Tensor, Tensor]], source: Source) -> Tensor:
    return pairs.compared(pairs.Sides(*embed(source)))


def pair_cases(
    protocols: Sequence[str], models: dict[str, Model], splits: dict[str, Source], raw: bool = True
) -> dict[str, PairCase]:
    """Both sides of the pairs of test by every representation, and names of classes where ``zeroshot`` asks.

    Raises:
        InputError: for samples that are no pairs, ``zeroshot`` without names of classes, or embeddings that are
            not finite.
    """
    model, test = models["pretrained"], splits["test"]
    if not model.pairs(test):
        name = protocols[0]
        raise InputError(f"{name} needs pairs; these are single {model.modality.unit}. Leave out {name}.")
    words: dict[str, Tensor | None] = {}
    if "zeroshot" in protocols:
        if test.label is not None and test.label_names:
            words = {name: one.embed_words(test.label_names) for name, one in models.items()}
        if all(word is None for word in words.values()):
            raise InputError(
                "zeroshot needs labels with names, and pairs whose second side is text. Leave out zeroshot."
            )
    embeds: dict[str, Callable[[Source], tuple[Tensor, Tensor]]]
    embeds = {name: one.embed_sides for name, one in models.items()}
    if raw and (features_of := model.raw_sides(splits.get("train", test))) is not None:
        embeds["raw"] = features_of
    names, cases = model.side_names(test), {}
    fitted = [
        splits[n] for n in ("train", "validation") if "pair-classification" in protocols and n in splits
    ]
    for name, embed in embeds.items():
        sides = pairs.Sides(*embed(test))
        pairs.check_finite(name, "test", sides)
        cases[name] = PairCase(sides, names, words.get(name), _known(name, embed, fitted))
    return cases


def _known(
    name: str, embed: Callable[[Source], tuple[Tensor, Tensor]], splits: Sequence[Source]
) -> tuple[pairs.Sides, Tensor] | None:
    """Sides and labels of all pairs of ``splits``, if they have labels."""
    labels = [split.label for split in splits if split.label is not None]
    if not labels or len(labels) < len(splits):
        return None
    found = [embed(split) for split in splits]
    sides = pairs.Sides(torch.cat([first for first, _ in found]), torch.cat([second for _, second in found]))
    pairs.check_finite(name, "train and validation", sides)
    return sides, torch.cat(labels)


def measured(answer: Tensor, label: Tensor, protocols: Sequence[str], seed: int) -> dict[str, Figure]:
    """The figures of a network trained with the labels, by metric."""
    if label.is_floating_point():
        return errors(answer, label, seed)
    figures = {"accuracy": Figure.bootstrap(answer.argmax(1) == label, seed)}
    if "auc" in protocols:
        two = answer.shape[1] == 2
        score = (answer[:, 1:] - answer[:, :1] if two else answer.log_softmax(1)).double()
        classes = label.new_tensor(range(answer.shape[1]))[1 if two else 0 :]
        figures["auc"] = ranked(score, label[:, None] == classes, seed)
    return figures


def grouped(data: Any, column: str, dataset: Dataset) -> Dataset:
    """The same dataset, its samples in the groups that a column of ``data`` tells.

    Raises:
        InputError: when there is no such column, or it holds fractions.
    """
    for name, split in open_column(data, column, dataset).items():
        if split.label is None or split.label.is_floating_point():
            raise InputError(
                f'the column "{column}" holds fractions, which are no groups; name another --groups'
            )
        dataset.splits[name].group, dataset.splits[name].group_names = split.label, split.label_names
    return dataset


def open_splits(
    model: Model,
    train: Any,
    test: Any = None,
    *,
    label: str | None = None,
    groups: str | None = None,
    seed: int = 0,
) -> dict[str, Source]:
    """The three splits of labelled data or of pairs, read as the model's training data was. Pairs that come as
    a test split alone stay that: there is nothing to fit on."""

    def read(data: Any) -> Dataset:
        dataset = model.open_all(data, label)
        return dataset if groups is None else grouped(data, groups, dataset)

    dataset = read(train)
    if test is not None:
        held = read(test)
        split = held.splits.get("test") or next(iter(held.splits.values()))
        if split.label_names != dataset.label_names and split.label_names and dataset.label_names:
            raise InputError(f"{held.name} and {dataset.name} do not have the same classes")
        dataset = Dataset(dataset.name, dataset.modality, {"train": dataset.train, "test": split})
    paired = model.pairs(dataset.train)
    for name, split in dataset.splits.items():
        if split.label is None and split.segmentation is None and not paired:
            raise InputError(
                f"evaluate needs labels; {dataset.name} has none in {name}. "
                "Name their column with --label, or put samples into a folder a class"
            )
    if list(dataset.splits) == ["test"]:
        if paired:
            return dict(dataset.splits)
        dataset = replace(dataset, splits={"train": dataset.train})
    dataset = dataset.with_test(0.2, seed).with_validation(0.1, seed)
    return {name: dataset.splits[name] for name in ("train", "validation", "test")}
