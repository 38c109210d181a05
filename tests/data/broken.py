"""Broken and unusual input: one case a row, held by the tests of its reader and printed in ``docs/bad-input.md``."""

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from anyview import data
from anyview.data.batch import Ragged
from anyview.data.graph.packed import Graphs, Nodes, SparseRows
from anyview.errors import InputError
from anyview.modalities import modality as modality_of

LONGEST_LINE = 400  #: characters of an error that a person still reads
MISSING = ("table", "events")  #: their networks take NaN for a missing cell


@dataclass(frozen=True)
class Case:
    """One input, and what becomes of it.

    Attributes:
        what: the input, in words.
        make: puts it into an empty folder; what it returns is opened, or the folder when it returns nothing.
        read: samples that are read of it, over all splits; 0 when all of it is refused.
        left: samples that are left out and counted.
        says: stands in the line of the error, in the reason of what is left out, or in a note.
        becomes: what the samples are then, in words.
        holds: true of the dataset: what is read is what it should be.
    """

    what: str
    make: Callable[[Path], Any]
    read: int = 0
    left: int = 0
    says: str = ""
    becomes: str = ""
    holds: Callable[[data.Dataset], object] | None = None

    def __str__(self) -> str:
        return self.what


def behaves(case: Case, folder: Path, modality: str) -> None:
    """Opens it as ``modality`` and holds it to what the case says; no warning may reach the person."""
    made = case.make(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if not case.read:
            with pytest.raises(InputError) as caught:
                data.open(folder if made is None else made, modality=modality)
            _is_a_line(str(caught.value))
            assert case.says in str(caught.value), str(caught.value)
            return
        found = data.open(folder if made is None else made, modality=modality)
        for source in found.splits.values():
            fetched = source.fetch(torch.arange(len(source)))
            assert len(fetched.index) == len(source)
            seen = modality_of(modality).inputs(_one_side(fetched.x), found.spec)
            for values in _numbers(seen):
                assert not values.isinf().any()
                assert modality in MISSING or not values.isnan().any()
    assert sum(map(len, found.splits.values())) == case.read
    assert len(found.skipped) == case.left, found.skipped
    json.dumps(found.spec, allow_nan=False)  # it is written into the run
    for entry in found.skipped:
        _is_a_line(entry.reason)
        assert case.says in entry.reason, entry.reason
    assert case.left or not case.says or any(case.says in note for note in found.notes), found.notes
    assert case.holds is None or case.holds(found)


def everything(found: data.Dataset) -> Any:
    """The payload of all that is learned from."""
    return found.train.fetch(torch.arange(len(found.train))).x


def saved(content: bytes | str, name: str) -> Callable[[Path], Path]:
    """Makes a file of this content, and opens it."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def given(thing: Any) -> Callable[[Path], Any]:
    """Opens an object as it is."""
    return lambda folder: thing


def _is_a_line(text: str) -> None:
    assert text
    assert text.isprintable()
    assert len(text) <= LONGEST_LINE, text


def _one_side(x: Any) -> Any:
    """Of pairs the first, which its modality takes alone."""
    return x["first"] if isinstance(x, dict) and set(x) == {"first", "second"} else x


def _numbers(x: Any) -> Iterator[torch.Tensor]:
    """All fractions in a payload."""
    if isinstance(x, dict):
        for part in x.values():
            yield from _numbers(part)
    elif isinstance(x, Nodes):
        yield from _numbers(x.graph)
    elif isinstance(x, Graphs):
        yield from _numbers(x.x)
        yield from _numbers(x.place)
    elif isinstance(x, Ragged):
        yield from _numbers(x.values)
    elif isinstance(x, SparseRows):
        yield x.value
    elif isinstance(x, torch.Tensor) and x.is_floating_point():
        yield x
