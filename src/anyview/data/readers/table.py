"""Tables: CSV, Parquet, JSON records and data frames, a sample a row."""

from typing import Any

import pyarrow as pa

from anyview.data.labels import encode, label_column, of_table
from anyview.data.parts import Arrays, Found, Table, readable
from anyview.data.readers.base import Reader, none_readable
from anyview.data.source import Dataset, MemorySource, Source, Spec
from anyview.data.table.columns import is_feature, is_number
from anyview.data.table.rows import check_columns, encode_rows, fit_rows, missing_share, names
from anyview.errors import InputError


class TableReader(Reader):
    modality = "table"
    wants = "a table of numbers and categories"

    def claim(self, found: Found) -> float:
        """Low, so that whatever is more special goes before: a column of text, a series, events."""
        tables = [part for part in found.splits.values() if isinstance(part, Table)]
        if len(tables) < len(found.splits):
            return 0.0
        schema = tables[0].schema
        kinds = [schema.field(n).type for n in schema.names if all(n in t.schema.names for t in tables)]
        features = [kind for kind in kinds if is_feature(kind)]
        return 0.35 if len(features) > 1 and (len(features) > 2 or any(map(is_number, features))) else 0.0

    def read(
        self, found: Found, *, label: str | None = None, size: int | None = None, like: Spec | None = None
    ) -> Dataset:
        """Rows held as numbers and codes, fitted on train; see ``data.table.columns``."""
        if size is not None:
            raise InputError("the rows of a table have no size; leave --size out")
        given: dict[str, Any] = dict(found.splits)
        if isinstance(found.first, Arrays):
            found = _named_columns(found)
        if not isinstance(found.first, Table):
            raise none_readable(found, "table", self.wants)
        column = label or label_column(found.first.schema)
        if isinstance(next(iter(given.values())), Arrays):
            labels, label_names = encode({split: part.y for split, part in given.items()})
        else:
            labels, label_names = of_table(found, label)
        notes: list[str] = []
        if like is None:
            kept = [name for name in found.first.schema.names if name != column]
            spec, notes = fit_rows(found.first.columns(kept), found.name)
        else:
            spec = like
        sources: dict[str, Source] = {}
        for split, part in found.splits.items():
            assert isinstance(part, Table)
            check_columns(part, spec, column)
            x = encode_rows(part.columns(names(spec)), spec)
            sources[split] = MemorySource("table", spec, x, labels[split], label_names)
            share = missing_share(x)
            if share and part is found.first:
                notes.insert(0, f"{100 * share:.2g} % missing")
        return Dataset(found.name, "table", sources, notes=notes)


def _named_columns(found: Found) -> Found:
    """Arrays (rows, columns) as tables with columns x0, x1 ..."""
    splits: dict[str, Any] = {}
    for split, part in found.splits.items():
        assert isinstance(part, Arrays)
        if part.x.ndim != 2:
            raise none_readable(found, "table", TableReader.wants)
        with readable(found.name, "a table"):
            held = pa.table({f"x{i}": pa.array(column) for i, column in enumerate(_numpy(part.x).T)})
        splits[split] = Table(found.name, held.schema, held.num_rows, held=held)
    return Found(found.name, splits)


def _numpy(x: Any) -> Any:
    return x.numpy(force=True) if hasattr(x, "numpy") else x
