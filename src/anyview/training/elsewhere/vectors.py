"""Vectors that somebody made, in a Parquet or npy file: a row for each sample of the data they are of."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Float, Int
from torch import Tensor

from anyview.data.batch import Batch
from anyview.data.open import open_column
from anyview.data.parts import SPLIT_NAMES, readable
from anyview.data.source import Dataset, Source
from anyview.encoders.foreign import ForeignEncoder
from anyview.errors import InputError
from anyview.modalities import modality
from anyview.training.elsewhere.base import Asked, Origin
from anyview.training.model import Model

Sides = tuple[Float[Tensor, "rows dim"], ...]  #: one array, or those of both sides of pairs
#: columns of vectors by their usual names; of pairs, of both sides
COLUMNS, PAIRS = ("vector", "embedding", "vectors", "embeddings"), ("first", "second")


class WithVectors(Source):
    """The samples of a split, and the vectors of each."""

    def __init__(self, inner: Source, sides: Sides) -> None:
        super().__init__(
            inner.modality, inner.spec, len(inner), inner.label, inner.label_names, inner.skipped
        )
        self.inner, self.in_memory, self._sides = inner, inner.in_memory, sides

    def fetch(self, index: Int[Tensor, "batch"]) -> Batch:
        return self._batch(self.inner.fetch(self._rows[index]).x, index)

    def where(self, place: int) -> str:
        return self.inner.where(int(self._rows[place]))

    def ahead(self, order: Int[Tensor, "samples"]) -> Callable[[Int[Tensor, "batch"]], None]:
        tell = self.inner.ahead(self._rows[order])
        return lambda index: tell(self._rows[index])

    def vectors(self) -> Sides:
        return tuple(side[self._rows] for side in self._sides)


class VectorModel(Model):
    """A model that looks its embeddings up: of the data they were made of, and of no other."""

    def __init__(self, asked: Asked) -> None:
        self.name, self.id = asked.title, asked.id
        self.table, self.sides = read(Path(asked.name).expanduser())
        opened = asked.opened()
        nothing = ForeignEncoder(
            self.name, self._vector, lambda x: (x,), torch.zeros(1, self.sides[0].shape[1])
        )
        super().__init__(nothing, modality(opened.modality), opened.spec)
        self.data = asked.data

    def _vector(self, x: Tensor) -> Tensor:
        """What stands for a network: it takes vectors alone."""
        if x.shape[1:] != self.sides[0].shape[1:]:
            raise self._no_others()
        return x

    def _no_others(self) -> InputError:
        return InputError(
            f"{self.name} has vectors of the samples as they are, and no others can be embedded"
        )

    def open_all(self, data: Any, label: str | None = None) -> Dataset:
        """``data`` with the vectors of each sample.

        Raises:
            InputError: when a sample has none, or there are other numbers of both.
        """
        if self.id is None and not (
            data is self.data or (isinstance(data, str | Path) and data == self.data)
        ):
            raise InputError(
                f"{self.name} was joined to other data by the order of rows; name an --id column for this"
            )
        dataset = super().open_all(data, label)
        rows = self._by_id(data, dataset) if self.id else self._in_order(dataset)
        splits: dict[str, Source] = {
            name: WithVectors(split, tuple(side[rows[name]] for side in self.sides))
            for name, split in dataset.splits.items()
        }
        return replace(dataset, splits=splits, unlabelled=None)

    def embed_source(self, source: Source, **_: Any) -> Float[Tensor, "samples dim"]:
        if not isinstance(source, WithVectors):
            raise self._no_others()
        if len(source.vectors()) > 1:
            raise InputError(
                f"{self.name} has vectors of both sides of pairs; take a protocol of pairs, such as sts"
            )
        return source.vectors()[0]

    def embed_sides(self, source: Source, **_: Any) -> tuple[Tensor, Tensor]:
        if not isinstance(source, WithVectors) or len(source.vectors()) < 2:
            raise InputError(
                f"{self.name} has one vector a pair; give those of both sides, as columns {' and '.join(PAIRS)}"
            )
        first, second = source.vectors()
        return first, second

    def _by_id(self, data: Any, dataset: Dataset) -> dict[str, Tensor]:
        """Rows of the samples of every split, by the column that both have."""
        assert self.id is not None
        if self.table is None or self.id not in self.table.column_names:
            listed = ", ".join(self.table.column_names) if self.table else "none"
            raise InputError(f'{self.name} has no column "{self.id}" (columns: {listed})')
        place = {str(value): i for i, value in enumerate(self.table[self.id].to_pylist())}
        if len(place) < len(self.sides[0]):
            raise InputError(f'{self.name} has the same "{self.id}" in several rows; each may stand once')
        rows = {}
        for name, split in open_column(data, self.id, dataset).items():
            ids = told(split)
            missing = next((one for one in ids if one not in place), None)
            if missing is not None:
                raise InputError(
                    f"{self.name} has no row with {self.id} {missing}, which {name} of {dataset.name} has"
                )
            rows[name] = torch.tensor([place[one] for one in ids])
        return rows

    def _in_order(self, dataset: Dataset) -> dict[str, Tensor]:
        """Rows of the samples of every split: by the column ``split`` where there is one, else one after the other."""
        counts = {name: len(split) for name, split in dataset.splits.items()}
        rows = _by_split(self.table, counts)
        if rows is None:
            found, wanted = len(self.sides[0]), sum(counts.values())
            rows = (
                dict(zip(counts, torch.arange(found).split(list(counts.values())))) if found == wanted else {}
            )
        for name, count in counts.items():
            if len(rows.get(name, ())) != count:
                raise InputError(self._differs(dataset, counts, {k: len(v) for k, v in rows.items()}))
        return rows

    def _differs(self, dataset: Dataset, counts: Mapping[str, int], found: Mapping[str, int]) -> str:
        each = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        has = (
            ", ".join(f"{count:,} {name}" for name, count in found.items()) or f"{len(self.sides[0]):,} rows"
        )
        left = f"; {len(dataset.skipped):,} could not be read" if dataset.skipped else ""
        return f"{self.name} has {has} and {dataset.name} {each}{left}; give a row a sample, or name an --id column"


def told(split: Source) -> list[str]:
    """The labels of a split as they stood in their column."""
    assert split.label is not None
    names = split.label_names
    return [names[int(i)] if names and i >= 0 else str(i) for i in split.label.tolist()]


def _by_split(table: pa.Table | None, counts: Mapping[str, int]) -> dict[str, Tensor] | None:
    if table is None or "split" not in table.column_names:
        return None
    split = [SPLIT_NAMES.get(str(value).lower(), str(value)) for value in table["split"].to_pylist()]
    order = range(len(split))
    if "index" in table.column_names:
        index = table["index"].to_pylist()
        order = sorted(order, key=index.__getitem__)  # type: ignore[assignment]
    return {name: torch.tensor([i for i in order if split[i] == name], dtype=torch.int64) for name in counts}


def read(path: Path) -> tuple[pa.Table | None, Sides]:
    """The other columns of a file, where it has some, and its vectors.

    Raises:
        InputError: for a file that cannot be read, or vectors that are missing, ragged, empty or not finite.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    if path.suffix.lower() == ".npy":
        with readable(path.name, "an array of numbers"):
            array = np.load(path, allow_pickle=False)
        if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
            raise InputError(
                f"{path.name} holds {array.dtype} of shape {array.shape}, not (samples, dim) numbers"
            )
        return None, (_finite(path.name, torch.from_numpy(array).float()),)
    with readable(path.name, "a Parquet file of vectors"):
        table = pq.read_table(path)
        lists = [f.name for f in table.schema if _of_numbers(f.type)]
    columns = [name for name in PAIRS if name in lists]
    if len(columns) < 2:
        columns = [name for name in COLUMNS if name in lists][:1] or (lists if len(lists) == 1 else [])
    if not columns:
        listed = ", ".join(table.column_names)
        raise InputError(f"{path.name} has no column of vectors (columns: {listed}); call it vector")
    sides = tuple(_column(f"{path.name}: {name}", table[name]) for name in columns)
    if len({side.shape[1] for side in sides}) > 1:
        raise InputError(f"{path.name} has vectors of different widths for the sides of pairs")
    return table.drop_columns(columns), sides


def _of_numbers(kind: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_(kind) for is_ in lists) and (
        pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)
    )


def _column(name: str, column: pa.ChunkedArray) -> Float[Tensor, "rows dim"]:
    if not len(column):
        raise InputError(f"{name} holds no rows")
    if column.null_count:
        row = next(i for i, one in enumerate(column) if not one.is_valid)
        raise InputError(
            f"{name} has no vector in {column.null_count:,} of {len(column):,} rows, first row {row:,}"
        )
    whole = column.combine_chunks()
    flat = whole.flatten()
    fixed = pa.types.is_fixed_size_list(whole.type)
    length = np.full(len(whole), whole.type.list_size) if fixed else whole.value_lengths().to_numpy()
    ragged = np.flatnonzero(length != length[0])
    if len(ragged):
        row = int(ragged[0])
        raise InputError(
            f"{name} is ragged: row 0 has {length[0]:,} numbers, row {row:,} has {length[row]:,}"
        )
    if length[0] == 0:
        raise InputError(f"{name} holds vectors without numbers")
    values = flat.to_numpy(zero_copy_only=False).astype(np.float32)  # a null becomes NaN
    return _finite(name, torch.from_numpy(values).view(len(whole), -1))


def _finite(name: str, x: Tensor) -> Tensor:
    bad = (~x.isfinite().all(1)).nonzero()[:, 0]
    if len(bad):
        raise InputError(
            f"{name} is not finite (NaN or infinite) in {len(bad):,} of {len(x):,} rows, first row {bad[0]:,}"
        )
    return x


ORIGIN = Origin((".parquet", ".npy"), VectorModel, ("id",))
