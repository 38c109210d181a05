"""How a table holds series: a list a row (nested), a row a series (wide), or a row a time step (long)."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anyview.data.labels import label_column
from anyview.data.parts import Table
from anyview.errors import InputError, nearest

#: columns of nested lists that are series by their name
NAMES = ("x", "series", "signal", "values", "target")
TIMES = ("date", "time", "timestamp", "datetime", "ds", "t")
#: columns that say which series a time step belongs to
ENTITIES = ("series", "series_id", "unique_id", "case", "case_id", "item_id", "sample", "sample_id", "id")
#: of these one may be sure
SURE_ENTITIES = ENTITIES[:3]
#: keys of a schema's metadata that say that rows follow each other in time
SAMPLED = (b"TR_seconds", b"sampling_rate", b"sampling_interval", b"interval_seconds")


@dataclass(frozen=True)
class Layout:
    """Where the series are.

    Attributes:
        kind: ``nested`` (one column of lists), ``wide`` (a column a time step) or ``long`` (a column a channel).
        columns: the column of lists, the time steps or the channels, in order.
        time: of a long table, the column that orders its rows, or None when they stand in order.
        entity: of a long table, the column that says which series a row belongs to, or None for one series.
    """

    kind: str
    columns: list[str]
    time: str | None = None
    entity: str | None = None


def claim(table: Table) -> float:
    """How sure one can be, unasked, that a table holds series: 0 to 1. A wide one could be any table."""
    nested = nested_column(table)
    if nested is not None:
        return 0.95 if nested in NAMES else 0.5
    layout = long_layout(table, SURE_ENTITIES)
    if layout is None:
        return 0.0
    sampled = any(key in (table.schema.metadata or {}) for key in SAMPLED)
    if layout.entity is not None:
        return 0.85 if layout.time is not None else 0.0
    return 0.95 if sampled or _rising(table, layout.time) else 0.0


def find(table: Table, label: str | None) -> Layout:
    """The layout of a table that is known to hold series.

    Raises:
        InputError: when there is no column of numbers.
    """
    nested = nested_column(table)
    if nested is not None:
        return Layout("nested", [nested])
    sampled = any(key in (table.schema.metadata or {}) for key in SAMPLED)
    long = long_layout(table, ENTITIES, label)
    if long is not None and (long.time is not None or sampled):
        return long
    labels = label or label_column(table.schema)
    columns = [name for name in table.schema.names if name != labels and _numeric(table, name)]
    if not columns:
        listed = ", ".join(table.schema.names)
        raise InputError(f"{table.name} has no column of numbers to take for a series (columns: {listed})")
    return Layout("wide", columns)


def nested_column(table: Table) -> str | None:
    """The column of lists of numbers, or of lists of them (channels); that with a usual name if there are more."""
    found = []
    for name in table.schema.names:
        kind = table.schema.field(name).type
        depth = 0
        while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            kind, depth = kind.value_type, depth + 1
        if depth in (1, 2) and (pa.types.is_floating(kind) or (pa.types.is_integer(kind) and name in NAMES)):
            found.append((name not in NAMES, -depth, name))
    return min(found)[2] if found else None


def long_layout(table: Table, entities: tuple[str, ...], label: str | None = None) -> Layout | None:
    """The layout of a table with a row a time step; None when some column does not fit that."""
    names = table.schema.names
    time = next((n for n in names if pa.types.is_temporal(table.schema.field(n).type)), None)
    time = time or next((n for n in names if n.lower() in TIMES), None)
    entity = next((n for n in names if n.lower() in entities and n != time), None)
    apart = {time, entity, label or "label"}
    columns = [n for n in names if n not in apart]
    if not columns or not all(_numeric(table, n) for n in columns):
        return None
    return Layout("long", columns, time, entity)


def take_columns(table: Table, layout: Layout, wanted: list[str]) -> Layout:
    """The same layout with the columns that other data had, in their order.

    Raises:
        InputError: when one is missing.
    """
    for name in wanted:
        if name not in table.schema.names:
            guess = nearest(name, layout.columns)
            hint = f'; did you mean "{guess}"?' if guess else ""
            raise InputError(f'{table.name} has no column "{name}", which the model was trained on{hint}')
    return Layout(layout.kind, wanted, layout.time, layout.entity)


def _numeric(table: Table, name: str) -> bool:
    kind = table.schema.field(name).type
    # a column of nothing but nulls has no type of its own in a CSV file
    return pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)


def _rising(table: Table, time: str | None) -> bool:
    """Whether every row is later than the one before: then rows are steps of one series, and not events."""
    if time is None:
        return False
    column = table.columns([time]).column(time)
    if column.null_count or len(column) < 8:
        return False
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return len(pc.unique(column)) == len(column)
    return bool((np.diff(order_key(column)) > 0).all())


def order_key(column: pa.ChunkedArray) -> np.ndarray:
    """Numbers that rise with time; the number of the row for text, which is taken to stand in order.

    Rows without a time come last.
    """
    kind = column.type
    if pa.types.is_temporal(kind):
        kind = pa.int32() if pa.types.is_date32(kind) or pa.types.is_time32(kind) else pa.int64()
        column = column.cast(kind)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return np.arange(len(column))
    key = column.to_numpy()
    return np.nan_to_num(key, nan=np.inf) if key.dtype.kind == "f" else key
