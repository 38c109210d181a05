"""Whatever protocol there is: other labels of test change nothing that it answers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from anyview.data import open as open_data
from anyview.data.source import Source
from anyview.evaluation.features import Features, Split
from anyview.evaluation.pairs import Sides
from anyview.evaluation.protocols import PROTOCOLS, judge_each, judge_pairs
from anyview.evaluation.protocols.base import Case, PairCase
from anyview.evaluation.run import represent
from anyview.modalities import modality
from anyview.training.model import Model

COUNT = {"train": 300, "validation": 100, "test": 100}


@pytest.fixture(scope="module")
def digits() -> Features:
    """Embeddings of digits by an untrained network, with the samples and the network at hand."""
    torch.manual_seed(0)
    source, kind = open_data("digits").train, modality("image")
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))[: sum(COUNT.values())]
    splits = {n: source.take(part) for n, part in zip(COUNT, order.split(list(COUNT.values())))}
    model = Model(kind.encoder("vit-nano", source.spec, dim=16, depth=2, heads=2), kind, source.spec)
    return represent({"pretrained": model}, splits)["pretrained"]


def relabelled(split: Split, change: Callable[[Tensor], Tensor]) -> Split:
    source: Source = split.source.take(torch.arange(len(split.x)))
    source.label = change(split.label)
    source.segmentation = source.label.byte()[:, None, None].expand(-1, 8, 8)  # every pixel is of the digit
    return Split(split.x, source.label, source)


def tensors(answer: Any) -> Iterator[Tensor]:
    """All tensors of an answer, whatever it is made of."""
    if isinstance(answer, Tensor):
        yield answer
    elif isinstance(answer, dict):
        for value in answer.values():
            yield from tensors(value)
    elif isinstance(answer, tuple | list):
        for value in answer:
            yield from tensors(value)
    else:
        raise AssertionError(f"a protocol answers {type(answer).__name__}, which this test cannot compare")


def judged(protocol: str, case: Any, label: Tensor, patch: pytest.MonkeyPatch) -> tuple[list[Tensor], float]:
    """What the protocol answered, and its first figure."""
    seen: list[Tensor] = []
    answer = type(PROTOCOLS[protocol]).answer

    def spied(self: Any, given: Any) -> Any:
        if isinstance(given, Case):
            assert given.source.label is None
            assert given.source.segmentation is None
        found = answer(self, given)
        seen.extend(tensors(found))
        return found

    patch.setattr(type(PROTOCOLS[protocol]), "answer", spied)
    if PROTOCOLS[protocol].paired:
        (results,) = judge_pairs({"it": case}, [protocol], label).values()
    else:
        (results,) = judge_each({"it": case}, [protocol]).values()
    patch.undo()
    return seen, results[0].figures["it"].mean


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_labels_of_test_reach_no_choice(protocol: str, digits: Features) -> None:
    lies = torch.randint(10, (COUNT["test"],), generator=torch.Generator().manual_seed(1))
    with pytest.MonkeyPatch.context() as patch, pytest.MonkeyPatch.context() as short:
        short.setattr("anyview.training.finetuning.STEPS", 3)
        if PROTOCOLS[protocol].paired:
            x = torch.randn(100, 8)
            sides, classes = (
                Sides(x, x + 0.5 * torch.randn(100, 8)),
                2 if "classification" in protocol else 10,
            )
            known = sides, torch.arange(100) % 2
            case: Any = PairCase(sides, words=torch.randn(classes, 8), known=known)
            truths = [torch.arange(100) % classes, lies % classes]
            found = [judged(protocol, case, truth, patch) for truth in truths]
        else:
            kind = torch.float32 if protocol == "regression" else torch.int64
            whole = {n: relabelled(s, lambda label: label.to(kind)) for n, s in digits.splits().items()}
            honest = replace(digits, **whole)
            fooled = replace(honest, test=relabelled(honest.test, lambda _: lies.to(kind)))
            found = [judged(protocol, f, lies, patch) for f in (honest, fooled)]
    (first, figure), (second, other) = found
    assert first
    assert len(first) == len(second)
    assert all(torch.equal(a, b) for a, b in zip(first, second))
    assert (figure == other) == (protocol == "retrieval")  # all others are measured by the labels
