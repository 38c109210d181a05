"""Where texts lie in what was found: a column, lines, documents, objects; one text a sample, or two of a pair."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from torch import Tensor

from anyview.data import labels, tables
from anyview.data.parts import SPLIT_NAMES, Files, Found, Objects, Part, Table
from anyview.data.source import Skipped
from anyview.errors import InputError

#: columns of text by their usual names, lists of words among them
NAMES = ("text", "sentence", "document", "content", "tokens", "words")
#: columns of pairs by their usual names
PAIRS = (
    *((f"{what}1", f"{what}2") for what in ("sentence", "text", "question", "word")),
    ("sentence_a", "sentence_b"),
    ("premise", "hypothesis"),
)
#: how pairs are scored, best name first
SCORES = ("score", "similarity", "relatedness")
ENDINGS = (".txt", ".md", ".text")
#: so many words on average make a string free text; ideographs stand for a word each
FREE = 4

Sides = Sequence[Sequence[str | None]]


@dataclass
class Texts:
    """One split: ``sides`` are the texts, or the first and the second of each pair; None where there is none."""

    sides: Sides
    where: list[str] | str  #: how a person finds each again, or the name of a table
    label: Tensor | None = None

    def place(self, i: int) -> str:
        return f"{self.where} row {i}" if isinstance(self.where, str) else self.where[i]


@dataclass
class Collected:
    """All splits, the names of their classes, and what is no text."""

    splits: dict[str, Texts]
    label_names: list[str] | None = None
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def collect(found: Found, label: str | None) -> Collected:
    """The texts of what was found; splits without any column of text are left out.

    Raises:
        InputError: when no split has texts, or there is no such column of labels.
    """
    part = found.first
    if isinstance(part, Files):
        lines = _files_of_lines(found)
        return _from_tables(lines, label) if lines else _from_files(found)
    return _from_objects(found) if isinstance(part, Objects) else _from_tables(found, label)


# ---- tables


def text_columns(table: Table, besides: Sequence[str | None] = ()) -> list[str]:
    """The column of text, or the two of pairs; none when there is none.

    Pairs and columns of the usual names go first. Else it is the first column of free text (``FREE`` words a
    row or more), unless another has more than twice as much of it.
    """
    kinds = {name: table.schema.field(name).type for name in table.schema.names if name not in besides}
    for first, second in PAIRS:
        if all(name in kinds and _is_string(kinds[name]) for name in (first, second)):
            return [first, second]
    for name in NAMES:
        if name in kinds and (_is_string(kinds[name]) or _is_words(kinds[name])):
            return [name]
    words = {name: _words(table, name) for name, kind in kinds.items() if _is_string(kind)}
    free = {name: count for name, count in words.items() if count >= FREE}
    return [next(name for name, count in free.items() if 2 * count >= max(free.values()))] if free else []


def _is_string(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_words(kind: pa.DataType) -> bool:
    return (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _is_string(kind.value_type)


def _words(table: Table, column: str) -> float:
    """Words a row in the first rows of a column."""
    known = [value for value in table.head(column, 64).to_pylist() if value]
    count = sum(len(value.split()) + sum("\u3040" <= c <= "\u9fff" for c in value) for value in known)
    return count / max(1, len(known))


def _from_tables(found: Found, label: str | None) -> Collected:
    parts = {name: part for name, part in found.splits.items() if isinstance(part, Table)}
    # A column of labels may be of strings too, and is never the text unless it is the only one.
    spared = {name: [label or labels.label_column(part.schema)] for name, part in parts.items()}
    columns = {name: text_columns(part, spared[name]) for name, part in parts.items()}
    columns = {name: found for name, found in columns.items() if found}
    if not columns:
        listed = ", ".join(found.first.schema.names) if isinstance(found.first, Table) else "none"
        raise InputError(f"{found.name} has no column of text (columns: {listed}); call it text")
    out = Collected({})
    kept = {name: part for name, part in parts.items() if name in columns}
    if len(next(iter(columns.values()))) == 2 and label is None:
        schema = next(iter(kept.values())).schema
        label = next((name for name in SCORES if name in schema.names), None)
    by_split, out.label_names = labels.of_table(Found(found.name, dict(kept)), label)
    for name, table in kept.items():
        sides = [_strings(table.columns([column]).column(column)) for column in columns[name]]
        out.splits[name] = Texts(sides, table.name, by_split[name])
    named = next(iter(columns.values()))
    if named[0] not in NAMES:
        out.notes.append(f"column{'s' if len(named) > 1 else ''} {' and '.join(named)}")
    return out


def _strings(column: pa.ChunkedArray) -> list[str | None]:
    """Words of a list are put together with spaces."""
    values = column.to_pylist()
    if _is_words(column.type):
        return [None if value is None else " ".join(word or "" for word in value) for value in values]
    return values


# ---- files


def is_text_file(path: str) -> bool:
    return path.lower().endswith(ENDINGS)


def _files_of_lines(found: Found) -> Found | None:
    """A folder of ``train.txt``, ``test.txt``: splits, with a text a line. None for a folder of documents."""
    part = found.first
    assert isinstance(part, Files)
    names = [Path(path).stem.lower() for path in part.paths]
    if len(found.splits) > 1 or not all(name in SPLIT_NAMES for name in names):
        return None
    if not all(path.endswith(".txt") for path in part.paths):
        return None
    splits: dict[str, Part] = {
        SPLIT_NAMES[n]: tables.of_file(part.root / p) for n, p in zip(names, part.paths)
    }
    return Found(found.name, splits)


def _from_files(found: Found) -> Collected:
    """Every text file is a document; its class is its sub-folder."""
    out = Collected({})
    documents: dict[str, Part] = {}
    for name, part in found.splits.items():
        assert isinstance(part, Files)
        out.skipped += [
            Skipped(str(part.root / p), "is no text file") for p in part.paths if not is_text_file(p)
        ]
        kept = [path for path in part.paths if is_text_file(path)]
        if kept:
            documents[name] = Files(part.root, kept)
    by_split, out.label_names = labels.of_folders(Found(found.name, documents))
    for name, part in documents.items():
        assert isinstance(part, Files)
        paths = [part.root / path for path in part.paths]
        out.splits[name] = Texts([[_document(p) for p in paths]], [str(p) for p in paths], by_split[name])
    return out


def _document(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


# ---- objects


def text_of(sample: Any) -> tuple[str | None, Any]:
    """(text, label) of what a dataset gives for one sample; None for what it has not."""
    if isinstance(sample, dict):
        text = next((sample[name] for name in NAMES if isinstance(sample.get(name), str)), None)
        return text, sample.get("label")
    if isinstance(sample, tuple | list) and 1 <= len(sample) <= 2:
        text, label = sample[0], (sample[1] if len(sample) > 1 else None)
        return (text if isinstance(text, str) else None), label
    return (sample if isinstance(sample, str) else None), None


def _from_objects(found: Found) -> Collected:
    out, raw, texts = Collected({}), {}, {}
    for name, part in found.splits.items():
        assert isinstance(part, Objects)
        samples = [text_of(part.items[i]) for i in range(len(part))]
        texts[name] = [text for text, _ in samples]
        given = [label for _, label in samples]
        raw[name] = given if any(label is not None for label in given) else None
    by_split, out.label_names = labels.encode(raw)
    out.splits = {
        name: Texts([values], f"{found.name} {name}", by_split[name]) for name, values in texts.items()
    }
    return out
