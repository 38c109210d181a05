"""Labels as people keep them (names, numbers with gaps, nulls) -> int64 from 0, and names of the classes.

Columns of fractions are targets of a regression and stay float32, NaN where unknown.
"""

import math
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from anyview.data.parts import Files, Found, Table
from anyview.errors import InputError, nearest

UNKNOWN = -1
Labels = dict[str, Tensor | None]


def encode(raw: Mapping[str, Any], names: list[str] | None = None) -> tuple[Labels, list[str] | None]:
    """Labels of all splits under one numbering.

    Integers 0..K-1 stay as they are; other values (text, numbers with gaps) are numbered in sorted order and
    named by themselves. None, NaN and -1 are unknown and become -1.

    Args:
        raw: split -> one value a sample, or None for a split without labels.
        names: class names, when the values are numbers of classes.

    Raises:
        InputError: for labels that are no classes (fractions, or numbers beyond ``names``).
    """
    values = {split: _plain(split, value) for split, value in raw.items() if value is not None}
    known = {item for value in values.values() for item in value if item is not None}
    whole = all(isinstance(item, int) for item in known)
    if not whole and any(isinstance(item, int) for item in known):
        known = {str(item) for item in known}
        values = {s: [None if item is None else str(item) for item in value] for s, value in values.items()}
    order = sorted(known)
    if whole and names is not None:
        if order and not 0 <= order[0] <= order[-1] < len(names):
            raise InputError(
                f"labels run from {order[0]} to {order[-1]} and there are {len(names)} class names"
            )
        number = {item: item for item in order}
    elif whole and order == list(range(len(order))):
        number = {item: item for item in order}
    else:
        number, names = {item: i for i, item in enumerate(order)}, [str(item) for item in order]
    number[None] = UNKNOWN
    out = {
        s: torch.tensor([number[item] for item in value], dtype=torch.int64) for s, value in values.items()
    }
    return {split: out.get(split) for split in raw}, names


def _plain(split: str, value: Any) -> list[Any]:
    """One split's labels as Python ints or strings, None where unknown."""
    if isinstance(value, pa.ChunkedArray | pa.Array):
        items = value.to_pylist()
    else:
        array = value.numpy(force=True) if isinstance(value, Tensor) else np.asarray(value)
        if array.ndim > 1 and array.shape[1:] == (1,) * (array.ndim - 1):
            array = array.reshape(len(array))  # a column, as some files keep labels
        if array.ndim != 1:
            raise InputError(
                f"labels of the {split} split have shape {array.shape}; give one class for each sample"
            )
        items = array.tolist()
    return [_item(split, item) for item in items]


def _item(split: str, item: Any) -> int | str | None:
    if item is None or item != item:  # NaN
        return None
    if isinstance(item, bytes):
        return item.decode(errors="replace")
    if isinstance(item, str):
        return item
    try:
        whole = int(item)
    except (TypeError, ValueError, OverflowError):
        whole = None
    if whole is None or whole != item:
        raise InputError(
            f"labels of the {split} split are no classes (first: {item!r}); give whole numbers or names"
        )
    return None if whole == UNKNOWN else whole


#: columns taken for labels unasked, the first that there is: of classes, then of a regression
COLUMNS, TARGETS = ("label", "y"), ("label", "target", "score")


def of_table(found: Found, label: str | None) -> tuple[Labels, list[str] | None]:
    """Labels from a column of tables: ``label``, or the column with a usual name when there is one."""
    column = label or label_column(found.first.schema)  # type: ignore[union-attr]
    raw: dict[str, Any] = {}
    names = None
    for split, part in found.splits.items():
        assert isinstance(part, Table)
        raw[split] = None
        if column is not None and column in part.schema.names:
            raw[split] = part.columns([column]).column(column)
            names = names or part.class_names(column)
        elif label is not None:
            guess = nearest(label, part.schema.names)
            hint = f'; did you mean "{guess}"?' if guess else ""
            listed = ", ".join(part.schema.names)
            raise InputError(f'{part.name} has no column "{label}"{hint} (columns: {listed})')
    known = [value.type for value in raw.values() if value is not None]
    if known and all(pa.types.is_floating(kind) for kind in known) and not _whole(raw):
        return {s: None if v is None else _targets(v) for s, v in raw.items()}, None
    return encode(raw, names)


def label_column(schema: pa.Schema) -> str | None:
    """The column that is taken for labels when none is named, or None."""
    kinds = {name: schema.field(name).type for name in schema.names}
    classes = (name for name in COLUMNS if name in kinds and _holds_classes(kinds[name]))
    targets = (name for name in TARGETS if name in kinds and pa.types.is_floating(kinds[name]))
    return next(chain(classes, targets), None)


def _whole(raw: Mapping[str, Any]) -> bool:
    """Whether all known values are whole numbers, as classes are that a null made floats."""
    return all(
        v is None or all(x is None or x != x or float(x).is_integer() for x in v.to_pylist())
        for v in raw.values()
    )


def _targets(column: pa.ChunkedArray) -> Tensor:
    known = [v if v is not None and math.isfinite(v) else math.nan for v in column.to_pylist()]
    return torch.tensor(known, dtype=torch.float32)


def _holds_classes(kind: pa.DataType) -> bool:
    """Whether a column may be taken for classes unasked; a column of fractions or lists may not."""
    return any(is_(kind) for is_ in (pa.types.is_integer, pa.types.is_boolean, pa.types.is_string)) or any(
        is_(kind) for is_ in (pa.types.is_large_string, pa.types.is_dictionary)
    )


def of_folders(found: Found) -> tuple[Labels, list[str] | None]:
    """Labels from sub-folders: the first folder below the split's root is the class.

    A split with samples outside any sub-folder has no labels, and one sub-folder alone is no class.
    """
    raw: dict[str, Any] = {}
    for split, part in found.splits.items():
        assert isinstance(part, Files)
        nested = all("/" in path for path in part.paths)
        raw[split] = [path.split("/", 1)[0] for path in part.paths] if nested else None
    classes = {name for value in raw.values() if value is not None for name in value}
    if len(classes) < 2:
        return dict.fromkeys(raw), None
    return encode(raw)
