"""Every series of what was found as an array of its own: float32, channels x time, NaN where missing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from anyview.data import labels
from anyview.data.parts import Arrays, Found, Objects, Table
from anyview.data.series.layout import Layout, find, order_key, take_columns
from anyview.data.source import Skipped, Spec
from anyview.errors import InputError

Array = np.ndarray


@dataclass
class Split:
    """The series of one split as they came, how a person finds each again, and their labels."""

    series: list[Any]  #: channels x time each; a str is the reason why there is none
    where: Callable[[int], str]
    label: Tensor | None = None
    whole: bool = False  #: one long series, to be cut into windows; ``label`` is then of its steps


@dataclass
class Collected:
    splits: dict[str, Split]
    label_names: list[str] | None = None
    columns: list[str] | None = None  #: names of channels (long) or time steps (wide)
    notes: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


@dataclass
class Where:
    """``data.parquet row 17``."""

    name: str

    def __call__(self, i: int) -> str:
        return f"{self.name} {i}"


# ---- arrays and objects


def from_arrays(found: Found) -> Collected:
    """(samples, time), (samples, channels, time), or (time,), which is one long series."""
    splits, given = {}, {}
    for name, part in found.splits.items():
        assert isinstance(part, Arrays)
        x = as_float(part.x)
        if x.ndim not in (1, 2, 3) or 0 in x.shape:
            raise InputError(
                f"an array of shape {tuple(x.shape)} holds no series; give (samples, time) or "
                "(samples, channels, time)"
            )
        whole = x.ndim == 1
        series = [x[None]] if whole else list(x[:, None] if x.ndim == 2 else x)
        splits[name] = Split(series, Where(f"{found.name} {name} sample"), whole=whole)
        given[name] = part.y
    named = next(
        (p.label_names for p in found.splits.values() if isinstance(p, Arrays) and p.label_names), None
    )
    by_split, names = (
        labels.encode(given, named) if any(v is not None for v in given.values()) else ({}, None)
    )
    for name, split in splits.items():
        split.label = by_split.get(name)
        steps = split.series[0].shape[1] if split.whole else len(split.series)
        if split.label is not None and len(split.label) != steps:
            raise InputError(
                f"{steps:,} series of the {name} split have {len(split.label):,} labels; give one each"
            )
    return Collected(splits, names)


def from_objects(found: Found) -> Collected:
    """A list of arrays, or of (array, label); lengths may differ."""
    splits, given = {}, {}
    for name, part in found.splits.items():
        assert isinstance(part, Objects)
        items = [part.items[i] for i in range(len(part))]
        pairs = [item if isinstance(item, tuple) else (item, None) for item in items]
        splits[name] = Split([one_array(x) for x, *_ in pairs], Where(f"{found.name} {name} sample"))
        given[name] = [rest[0] if rest else None for _, *rest in pairs]
    if all(value is None for label in given.values() for value in label):
        return Collected(splits)
    by_split, names = labels.encode(
        {
            k: [int(v) if isinstance(v, Tensor | np.generic) else v for v in label]
            for k, label in given.items()
        }
    )
    for name, split in splits.items():
        split.label = by_split[name]
    return Collected(splits, names)


def one_array(x: Any) -> Array | str:
    """One object as channels x time, or why it is none."""
    try:
        array = as_float(x)
    except (InputError, ValueError, TypeError):
        return "is no array of numbers"
    if array.ndim == 1:
        array = array[None]
    return array if array.ndim == 2 else f"has shape {tuple(array.shape)}, not (time,) or (channels, time)"


def as_float(x: Any) -> Array:
    """As float32; what is too large for that is missing."""
    array = x.detach().cpu().float().numpy() if isinstance(x, Tensor) else np.asarray(x)
    if array.dtype.kind not in "buif":
        raise InputError(f"an array of {array.dtype} holds no series; give numbers")
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


# ---- tables


def from_tables(found: Found, label: str | None, like: Spec | None) -> Collected:
    """See ``Layout`` for the three forms of a table; the label is one value a row of it."""
    first = found.first
    assert isinstance(first, Table)
    layout = find(first, label)
    if like is not None and like.get("columns") and layout.kind == "long":
        layout = take_columns(first, layout, like["columns"])
    by_split: dict[str, Tensor | None] = {}
    names = None
    # In a long table a column called y or target is a channel; only one that says so is a label.
    if layout.kind != "long" or label is not None or "label" in first.schema.names:
        by_split, names = labels.of_table(found, label)
    collected = Collected({}, names, layout.columns if layout.kind == "long" else None)
    for name, part in found.splits.items():
        assert isinstance(part, Table)
        where = Where(f"{part.name} row")
        target = by_split.get(name)
        if layout.kind == "nested":
            column = part.columns(layout.columns).column(0)
            collected.splits[name] = Split(nested(column), where, target)
        elif layout.kind == "wide":
            collected.splits[name] = Split(list(matrix(part, layout.columns)[:, None]), where, target)
        else:
            collected.splits[name] = _long(part, layout, target, collected.notes)
    if layout.kind == "wide":
        left = [n for n in first.schema.names if n not in {*layout.columns, label, "label", "y", "target"}]
        collected.notes += [f"columns that are no numbers left out: {', '.join(left)}"] if left else []
    return collected


def nested(column: pa.ChunkedArray) -> list[Any]:
    """Lists of floats (one channel), or of lists of them, as channels x time each."""
    deep = _is_list(column.type.value_type)
    wanted = pa.large_list(pa.float32())
    outer = column.cast(pa.large_list(wanted) if deep else wanted, safe=False).combine_chunks()
    if isinstance(outer, pa.ChunkedArray):
        outer = pa.concat_arrays(outer.chunks)
    inner = outer.values if deep else outer
    begins = outer.offsets.to_numpy() if deep else np.arange(len(outer) + 1)
    ends, values = inner.offsets.to_numpy(), inner.values.to_numpy(zero_copy_only=False)
    null = ~outer.is_valid().to_numpy(zero_copy_only=False)
    out: list[Any] = []
    for i in range(len(outer)):
        cut = ends[begins[i] : begins[i + 1] + 1]
        length = np.diff(cut)
        if null[i] or not len(length):
            out.append("is empty")
        elif (length != length[0]).any():
            out.append(
                f"has channels of different lengths ({int(length.min())} to {int(length.max())} steps)"
            )
        else:
            out.append(values[cut[0] : cut[-1]].reshape(len(length), -1))
    return out


def matrix(table: Table, columns: list[str]) -> Array:
    """Columns of numbers as rows x columns, NaN where null."""
    data = table.columns(columns)
    parts = [data.column(name).cast(pa.float64(), safe=False).to_numpy() for name in columns]
    return as_float(np.stack(parts, 1))


def _long(table: Table, layout: Layout, label: Tensor | None, notes: list[str]) -> Split:
    """One series of all rows in order of time, or one for each value of the entity's column."""
    x = matrix(table, layout.columns)
    key = np.arange(len(x))
    if layout.time is not None:
        key = order_key(table.columns([layout.time]).column(0))
    if layout.entity is None:
        order = np.argsort(key, kind="stable")
        if (np.diff(order) < 0).any() and "rows put in order of time" not in notes:
            notes.append("rows put in order of time")
        steps = None if label is None else label[torch.from_numpy(order)]
        return Split([x[order].T], Where(f"{table.name} from row"), steps, whole=True)
    ids = table.columns([layout.entity]).column(0).to_pylist()
    number = {entity: i for i, entity in enumerate(dict.fromkeys(ids))}  # in order of appearance
    group = np.array([number[entity] for entity in ids])
    order = np.lexsort((key, group))
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    series = [part.T for part in np.split(x[order], cuts)]
    firsts = torch.from_numpy(order[np.concatenate([[0], cuts])])
    return Split(series, Where(f"{table.name} series"), None if label is None else label[firsts])


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
