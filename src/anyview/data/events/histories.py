"""Histories: the events of each entity in order of time, packed end to end."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from anyview.data.batch import Ragged
from anyview.data.source import Spec
from anyview.data.table.rows import encode_rows

Histories = dict[str, Ragged]  # time (events,), numeric (events, k), categorical (events, m)


@dataclass(frozen=True)
class Sorted:
    """The rows of a log by entity and time.

    Attributes:
        rows: places in the log, the history of one entity after that of another.
        length: number of events of each entity.
        entities: their names, as strings.
        notes: what was done to them, in words.
    """

    rows: np.ndarray
    length: np.ndarray
    entities: list[str]
    notes: list[str]

    def of(self, entities: np.ndarray) -> np.ndarray:
        """Which of ``rows`` are events of these entities, given as ``(entities,)`` bool."""
        return np.repeat(entities, self.length)


def sort_events(entity: pa.ChunkedArray, time: np.ndarray, most: int) -> Sorted:
    """Groups events by entity, in order of first appearance, and sorts each history by time.

    Events at one time keep their order; those without entity or time are left out; histories longer than
    ``most`` are cut to their last events.
    """
    coded = entity.combine_chunks().dictionary_encode()
    code = coded.indices.to_numpy(zero_copy_only=False).astype(np.float64)
    known = ~(np.isnan(code) | np.isnan(time))
    places = known.nonzero()[0]
    code = code[places].astype(np.int64)
    order = np.lexsort((time[places], code))  # stable
    places, code = places[order], code[order]
    length = np.bincount(code, minlength=len(coded.dictionary))
    to_end = np.repeat(length.cumsum(), length) - np.arange(len(code))  # 1 for the last event of a history
    kept = to_end <= most
    names = np.array(coded.dictionary.to_pylist(), dtype=object)
    notes = []
    if len(known) - known.sum():
        notes.append(f"{len(known) - known.sum():,} events without entity or time left out")
    cut = int((length > most).sum())
    if cut:
        notes.append(f"{cut:,} histories cut to their last {most:,} events")
    if (np.diff(order)[np.diff(code) == 0] < 0).any():
        notes.append("events sorted by time")
    length = np.minimum(length, most)
    return Sorted(places[kept], length[length > 0], names[length > 0].tolist(), notes)


def encode_events(table: pa.Table, time: np.ndarray, length: np.ndarray, spec: Spec) -> Histories:
    """Sorted events as payload; ``time`` is float32 in days (or steps) since the log's origin."""
    x = encode_rows(table, spec)
    since = torch.from_numpy((time - spec["time"]["origin"]).astype(np.float32))
    count = torch.from_numpy(length.astype(np.int64))
    return {name: Ragged(values, count) for name, values in ({"time": since} | x).items()}
