"""Event logs: one row an event of some entity at some time; a sample is the history of an entity."""

import numpy as np
import pyarrow.compute as pc
import torch

from anyview.data import labels
from anyview.data.events.columns import days, entity_column, fit_fields, time_column
from anyview.data.events.histories import encode_events, sort_events
from anyview.data.events.logs import Log, alone, joined, label_column, label_tables, split_names
from anyview.data.parts import Found, Table
from anyview.data.readers.base import Reader, none_readable
from anyview.data.source import Dataset, MemorySource, Source, Spec
from anyview.data.table.columns import is_feature, is_text, texts
from anyview.data.table.rows import check_columns
from anyview.errors import InputError

MAX_EVENTS = 1024  #: histories are cut to their last events, so many unless ``size`` says otherwise


class EventsReader(Reader):
    modality = "events"
    wants = "a table of events with an entity and a time"

    def claim(self, found: Found) -> float:
        """Sure of ``events.parquet``; else of a table whose entity comes again and that is more than a series."""
        part = found.splits.get("events", found.first)
        if not isinstance(part, Table):
            return 0.0
        entity, time = entity_column(part.schema), time_column(part.schema)
        others = [
            n for n in part.schema.names if n not in (entity, time) and is_feature(part.schema.field(n).type)
        ]
        if entity is None or time is None or not others:
            return 0.0
        if "events" in found.splits:
            return 0.8
        column = part.columns([entity]).column(entity)
        if pc.count_distinct(column).as_py() > 0.9 * len(column):
            return 0.0
        things = [
            n for n in others if is_text(part.schema.field(n).type) or n.lower() in ("item", "event", "type")
        ]
        named = entity.lower() not in ("id", "device", "entity")
        return 0.6 if things and named else 0.5 if things else 0.3

    def read(
        self, found: Found, *, label: str | None = None, size: int | None = None, like: Spec | None = None
    ) -> Dataset:
        """Histories held as numbers and codes, fitted on the entities of train; see ``data.events``."""
        if size is not None and size < 1:
            raise InputError(
                f"size is {size}; give the number of events that a history may have, such as 512"
            )
        most = size or (like["most"] if like else MAX_EVENTS)
        parts, people, notes = _parts(found, like)
        entity, time = _columns(next(iter(parts.values())), like)
        logs, dated = [], False
        for split, part in parts.items():
            if like is not None:
                check_columns(part, like, None)
            held = part.columns([entity, time])
            when, dated = days(time, held.column(time))
            histories = sort_events(texts(held.column(entity)), when, most)
            if not histories.entities:
                raise InputError(f'{part.name} has no event with a value in both "{entity}" and "{time}"')
            log = (
                joined(part, when, histories, people, entity)
                if people
                else alone(split, part, when, histories)
            )
            logs.append(log)
            notes += histories.notes
        column = label_column(logs[0], label, entity, own=people is None)
        if like is None:
            train = next((log for log in logs if "train" in log.split), logs[0])
            out = {entity, time} | ({column} if people is None else set())
            spec, left = _fit(
                train, entity, [n for n in train.table.schema.names if n not in out], found.name
            )
            spec |= {"entity": entity, "most": most}
            spec["time"] |= {"name": time, "dated": dated}
            notes += left
        else:
            spec = {**like, "most": most}
            if (
                column in [f["name"] for kind in ("numeric", "categorical") for f in spec[kind]]
                and not people
            ):
                raise InputError(f'column "{column}" was among the fields, so it cannot be the label')
        return _dataset(found.name, logs, spec, column, notes)


def _parts(found: Found, like: Spec | None) -> tuple[dict[str, Table], Table | None, list[str]]:
    """Tables of events by split, the table of entities, and notes on what else lies there."""
    tables = {name: part for name, part in found.splits.items() if isinstance(part, Table)}
    if not tables:
        raise none_readable(found, "events", EventsReader.wants)
    if "events" not in tables:
        return tables, None, []
    events = tables.pop("events")
    entity = like["entity"] if like else entity_column(events.schema)
    people = {name: table for name, table in tables.items() if entity in table.schema.names}
    unused = [f"{name} not read" for name in tables if name not in list(people)[:1]]
    return {"train": events}, next(iter(people.values()), None), unused


def _columns(part: Table, like: Spec | None) -> tuple[str, str]:
    """Names of the columns of entity and time."""
    entity = like["entity"] if like else entity_column(part.schema)
    time = like["time"]["name"] if like else time_column(part.schema)
    return (
        _present(part, "entity", entity, "user, customer, id"),
        _present(part, "time", time, "timestamp, time, date"),
    )


def _present(part: Table, what: str, name: str | None, usual: str) -> str:
    if name is None or name not in part.schema.names:
        raise InputError(
            f"{part.name} has no column for the {what} of an event (columns: "
            f"{', '.join(part.schema.names)}); call it {name or f'one of {usual}'}"
        )
    return name


def _fit(log: Log, entity: str, fields: list[str], name: str) -> tuple[Spec, list[str]]:
    """The spec of a log's histories, from those of train."""
    of_train = log.split == ("train" if "train" in log.split else log.split[0])
    rows, length = log.sorted.rows[np.repeat(of_train, log.sorted.length)], log.sorted.length[of_train]
    table = log.table.take(rows)
    spec, left = fit_fields(table, texts(table.column(entity)), fields, name)
    time = log.time[rows]
    gap = np.diff(time, prepend=time[0])
    gap[length.cumsum()[:-1]] = 0  # from one history to the next
    positive = gap[gap > 0]
    # the first Monday before: days and weeks since then begin where those of the calendar do
    origin = float(np.floor((time.min() - 4) / 7) * 7 + 4)
    spec["time"] = {"origin": origin, "gap": float(np.median(positive)) if len(positive) else 1.0}
    return spec, left


def _dataset(name: str, logs: list[Log], spec: Spec, column: str | None, notes: list[str]) -> Dataset:
    """The histories of every split, with their labels."""
    known = label_tables(name, logs)
    if column is None:
        found, label_names = dict.fromkeys(known.splits), None
    else:
        found, label_names = labels.of_table(known, column)
    skipped = [entry for log in logs for entry in log.skipped]
    sources: dict[str, Source] = {}
    for log in logs:
        table, time = log.table.take(log.sorted.rows), log.time[log.sorted.rows]
        x = encode_events(table, time, log.sorted.length, spec)
        for split in split_names(log):
            places = torch.from_numpy((log.split == split).nonzero()[0])
            own = {leaf: values[places] for leaf, values in x.items()}
            sources[split] = MemorySource("events", spec, own, found[split], label_names, skipped)
    count = sum(len(log.sorted.rows) for log in logs)
    lengths = np.concatenate([log.sorted.length for log in logs])
    sizes = f"{lengths.min():,} to {lengths.max():,} events (median {int(np.median(lengths)):,})"
    return Dataset(name, "events", sources, skipped, [f"{count:,} events, histories of {sizes}", *notes])
