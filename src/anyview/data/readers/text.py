"""Text: lists of strings, lines of a file, documents of a folder, columns of tables; sentences or pairs."""

from itertools import chain

import torch
from torch import Tensor

from anyview.data.parts import Files, Found, Objects, Table
from anyview.data.readers.base import Reader, none_readable
from anyview.data.source import Dataset, MemorySource, Skipped, Source, Spec
from anyview.data.tables import blank
from anyview.data.text.items import (
    NAMES,
    PAIRS,
    Collected,
    Texts,
    collect,
    is_text_file,
    text_columns,
    text_of,
)
from anyview.data.text.vocabulary import fit, numbers
from anyview.errors import InputError


class TextReader(Reader):
    modality = "text"
    wants = "text files"

    def claim(self, found: Found) -> float:
        part = found.first
        if isinstance(part, Files):
            return 0.9 * sum(is_text_file(path) for path in part.paths) / len(part)
        if isinstance(part, Table):
            columns = text_columns(part)
            usual = columns[:1] in [[name] for name in NAMES] or tuple(columns) in PAIRS
            return (0.8 if usual else 0.4) if columns else 0.0
        if isinstance(part, Objects) and len(part):
            try:
                return 0.8 if text_of(part.items[0])[0] is not None else 0.0
            except Exception:  # another library's code
                return 0.0
        return 0.0

    def read(
        self, found: Found, *, label: str | None = None, size: int | None = None, like: Spec | None = None
    ) -> Dataset:
        """Texts as numbers of tokens (``Ragged``, int64), by the vocabulary of train or of ``like``.

        Pairs are held as ``{"first": Ragged, "second": Ragged}``, which only evaluation reads; the sentences
        of both sides, each once, are what is pretrained on (``Dataset.unlabelled``).

        Args:
            size: tokens kept of each text.
        """
        if label is not None and isinstance(found.first, Files | Objects):
            raise InputError(f'{found.name} has no columns, so no "{label}"; leave the label out')
        if not isinstance(found.first, Files | Table | Objects):
            raise none_readable(found, "text", self.wants)
        collected = collect(found, label)
        kept = {name: _known(texts, collected.skipped) for name, texts in collected.splits.items()}
        kept = {name: (sides, labels) for name, (sides, labels) in kept.items() if sides[0]}
        if not kept:
            raise none_readable(found, "text", self.wants, collected.skipped)
        return _encoded(found.name, kept, collected, size, like)


#: the texts of a split, or both sides of its pairs, and their labels
Kept = tuple[list[list[str]], Tensor | None]


def _known(texts: Texts, skipped: list[Skipped]) -> Kept:
    """What is not empty; the rest is entered in ``skipped``."""
    kept = []
    for i, sample in enumerate(zip(*texts.sides)):
        broken = any(text is not None and not _is_unicode(text) for text in sample)
        if not broken and all(text is not None and not blank(text) for text in sample):
            kept.append(i)
        else:
            unread = broken or (isinstance(texts.where, list) and sample[0] is None)
            skipped.append(Skipped(texts.place(i), "is no text in UTF-8" if unread else "is empty"))
    label = None if texts.label is None else texts.label[torch.tensor(kept, dtype=torch.int64)]
    return [[side[i] or "" for i in kept] for side in texts.sides], label


def _is_unicode(text: str) -> bool:
    """Whether no half of a surrogate pair stands alone in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encoded(
    name: str, splits: dict[str, Kept], collected: Collected, size: int | None, like: Spec | None
) -> Dataset:
    learned, _ = splits.get("train", next(iter(splits.values())))
    pairs = len(learned) == 2
    # of pairs, each sentence once: one that stands in many pairs would be its own negative
    sentences = list(dict.fromkeys(chain(*learned))) if pairs else learned[0]
    spec = fit(sentences, like, max_length=size)
    sources: dict[str, Source] = {}
    cut = 0
    for split, (texts, label) in splits.items():
        sides = [numbers(side, spec) for side in texts]
        cut += sum(count for _, count in sides)
        payload = sides[0][0] if len(sides) == 1 else {"first": sides[0][0], "second": sides[1][0]}
        sources[split] = MemorySource("text", spec, payload, label, collected.label_names, collected.skipped)
    unlabelled: Source | None = None
    if pairs:
        unlabelled = MemorySource("text", spec, numbers(sentences, spec)[0], skipped=collected.skipped)
    elif len(sources) > 1 and "train" not in sources:
        unlabelled = next(iter(sources.values()))  # a corpus beside its queries
    source = unlabelled or sources.get("train", next(iter(sources.values())))
    length = source.fetch(torch.arange(len(source))).x.length
    notes = [
        *collected.notes,
        *([f"pairs of {len(sentences):,} sentences"] if pairs else []),
        f"{int(length.min()):,} to {int(length.max()):,} tokens (median {int(length.median()):,})",
        f"vocabulary of {spec['vocabulary']:,} {'learned from them' if like is None else 'as it was given'}",
        *([f"{cut:,} texts cut to {spec['max_length']:,} tokens"] if cut else []),
    ]
    return Dataset(name, "text", sources, collected.skipped, notes, unlabelled)
