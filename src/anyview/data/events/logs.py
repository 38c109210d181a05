"""Logs put together with what is known of their entities: splits and labels."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anyview.data import labels
from anyview.data.events.histories import Sorted
from anyview.data.parts import SPLIT_NAMES, Found, Part, Table
from anyview.data.source import Skipped
from anyview.data.table.columns import texts
from anyview.errors import InputError


@dataclass
class Log:
    """A table of events, sorted into histories.

    Attributes:
        table: the events as they were.
        time: of each event, see ``columns.days``.
        sorted: the histories in it.
        split: the split of each entity, ``(entities,)``; None for an entity of none.
        people: one row an entity, in order.
        skipped: entities without events.
    """

    table: pa.Table
    time: np.ndarray
    sorted: Sorted
    split: np.ndarray
    people: Table
    skipped: list[Skipped] = field(default_factory=list)


def alone(split: str, part: Table, time: np.ndarray, histories: Sorted) -> Log:
    """A log that is all of one split; what is known of an entity stands in its last event."""
    held = part.columns(part.schema.names)
    last = held.take(histories.rows[histories.length.cumsum() - 1])
    last = last.replace_schema_metadata(part.schema.metadata)
    people = Table(part.name, last.schema, last.num_rows, held=last)
    return Log(held, time, histories, np.full(last.num_rows, split, dtype=object), people)


def joined(part: Table, time: np.ndarray, histories: Sorted, people: Table, entity: str) -> Log:
    """A log with a table of its entities. An entity that is not in it is learned from, without a label.

    Raises:
        InputError: when an entity has two rows.
    """
    rows = people.columns(people.schema.names).replace_schema_metadata(people.schema.metadata)
    key = texts(rows.column(entity)).to_pylist()
    place = {k: i for i, k in enumerate(key)}
    if len(place) < len(key):
        twice = next(k for i, k in enumerate(key) if place[k] != i)
        raise InputError(f"{people.name} has two rows for {entity} {twice}; give one for each")
    places = [place.get(name) for name in histories.entities]
    rows = rows.take(pa.array(places, pa.int64()))
    split = np.full(len(places), "train", dtype=object)
    if "split" in rows.schema.names:
        given = rows.column("split").to_pylist()
        split[:] = ["train" if p is None else SPLIT_NAMES.get(str(s).lower()) for p, s in zip(places, given)]
    present = set(histories.entities)
    skipped = [Skipped(f"{entity} {k}", "has no events") for k in key if k not in present]
    held = part.columns(part.schema.names)
    return Log(
        held, time, histories, split, Table(people.name, rows.schema, rows.num_rows, held=rows), skipped
    )


def label_column(log: Log, label: str | None, entity: str, own: bool) -> str | None:
    """The column of the labels: the one that was asked for, else one with a usual name.

    Args:
        own: whether there is no table of entities, so that a label stands in events.

    Raises:
        InputError: when the one that was asked for changes within a history.
    """
    column = label or labels.label_column(log.people.schema)
    if column is None or not own or column not in log.table.schema.names:
        return column
    pairs = pa.table({"entity": log.table.column(entity), "label": texts(log.table.column(column))})
    pairs = pairs.filter(pc.is_valid(pairs.column("entity")))
    several = pairs.group_by("entity").aggregate([("label", "count_distinct")])
    wrong = several.filter(pc.greater(several.column("label_count_distinct"), 1))
    if not len(wrong):
        return column
    if label is None:
        return None  # a field like others that has this name by chance
    first = wrong.column("entity")[0].as_py()
    raise InputError(
        f'column "{label}" changes within the history of {entity} {first}; a label is one for each {entity}'
    )


def label_tables(name: str, logs: list[Log]) -> Found:
    """What is known of the entities, by split."""
    splits: dict[str, Part] = {}
    for log in logs:
        for split in split_names(log):
            rows = log.people.columns(log.people.schema.names).filter(pa.array(log.split == split))
            splits[split] = Table(log.people.name, log.people.schema, rows.num_rows, held=rows)
    return Found(name, splits)


def split_names(log: Log) -> list[str]:
    """The splits that a log's entities are of, in the usual order."""
    usual = list(dict.fromkeys(SPLIT_NAMES.values()))
    present = set(log.split) - {None}
    return [*(s for s in usual if s in present), *sorted(present - set(usual))]
