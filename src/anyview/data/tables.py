"""Tables of any origin in Arrow form: Parquet, CSV, JSON, lines of text, data frames, Hugging Face datasets."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from anyview.data.parts import SPLIT_NAMES, Found, Part, Table, readable
from anyview.errors import InputError
from anyview.files import parse_json

#: endings of files that hold one table each
ENDINGS = (".parquet", ".csv", ".tsv", ".jsonl", ".json", ".txt")


def of_files(path: Path, files: list[Path]) -> Found:
    """Every NAME.csv (.parquet, ...) is a split, NAME-00000-of-00005.parquet a part of one; a file alone is train."""
    if files[0].suffix == ".parquet":
        return by_column(_parquet(path, files))
    if path.is_file():
        return by_column(Found(path.stem, {"train": of_file(path)}))
    named = {SPLIT_NAMES.get(file.stem.lower(), file.stem): file for file in files}
    splits: dict[str, Part] = {name: of_file(named[name]) for name in _in_order(named)}
    return by_column(Found(path.resolve().name, splits))


def of_file(path: Path) -> Table:
    """A CSV, TSV, JSON or text file, read whole.

    Raises:
        InputError: when it cannot be read as what its ending says, or holds no row.
    """
    what = {".csv": "a CSV file", ".tsv": "a TSV file", ".txt": "text in UTF-8"}.get(
        path.suffix, "JSON records"
    )
    with readable(path.name, what):
        if path.suffix in (".csv", ".tsv"):
            parse = pa.csv.ParseOptions(
                delimiter="\t" if path.suffix == ".tsv" else ",", newlines_in_values=True
            )
            convert = pa.csv.ConvertOptions(
                null_values=["", "NA", "NaN", "nan", "null", "NULL", "N/A", "?"], strings_can_be_null=True
            )
            held = pa.csv.read_csv(path, parse_options=parse, convert_options=convert)
            if _ends_in_quotes(path, held):
                raise ValueError("a quote is opened and never closed")
            bytes_ = next((f.name for f in held.schema if pa.types.is_binary(f.type)), None)
            if bytes_ is not None:
                raise ValueError(f'column "{bytes_}" is no UTF-8; save it as UTF-8')
        elif path.suffix == ".jsonl":
            held = pa.json.read_json(path)
        elif path.suffix == ".json":
            rows = parse_json(path.read_text(encoding="utf-8"))
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise ValueError("a list of records was expected")
            held = pa.Table.from_pylist(rows)
        else:
            # not splitlines, for which a page break and separators of Unicode end a line too
            lines = path.read_text(encoding="utf-8-sig").split("\n")
            held = pa.table({"text": pa.array([line for line in lines if not blank(line)], pa.string())})
        held.validate(full=True)  # Arrow itself takes any bytes for a string
        held.schema.names  # noqa: B018, names that are no UTF-8 are an error when they are asked for
    if held.num_rows == 0:
        raise InputError(f"{path.name} holds no rows")
    return Table(path.name, held.schema, held.num_rows, held=held, folder=path.parent)


def _ends_in_quotes(path: Path, held: pa.Table) -> bool:
    """Whether the last cell has swallowed what follows a lost quote, which Arrow takes for a long text."""
    last = [value.as_py() for value in (column[-1] for column in held.columns if len(column))]
    long = any(isinstance(value, str) and "\n" in value for value in last)
    return long and path.read_bytes().count(b'"') % 2 == 1


def blank(text: str) -> bool:
    """Whether it says nothing: spaces alone, or zeros, as a file has whose end was never written."""
    return not text.replace("\0", "").strip()


def of_object(data: Any) -> Table | None:
    """A data frame (pandas, polars, Arrow), a Hugging Face dataset or a list of strings; else None."""
    if isinstance(data, pa.Table):
        return _held("table", data)
    kind = type(data).__module__.partition(".")[0]
    if kind == "pandas" and hasattr(data, "columns"):
        with readable("this data frame", "columns of one type each"):
            return _held("data frame", pa.Table.from_pandas(data, preserve_index=False))
    if kind == "polars" and hasattr(data, "to_arrow"):
        return _held("data frame", data.to_arrow())
    if isinstance(data, list | tuple) and data and all(isinstance(item, str) for item in data):
        try:
            return _held("list", pa.table({"text": pa.array(data, pa.string())}))
        except UnicodeEncodeError:  # half a surrogate pair in one of them, which the reader then leaves out
            return None
    return _hugging_face(data)


def by_column(found: Found) -> Found:
    """Splits by a column ``split`` (or the first ``split_...``) of tables that are no splits themselves.

    All tables are put together, rows whose value names no split (such as ``unused``) are left out, and the
    column is too.
    """
    tables = [part for part in found.splits.values() if isinstance(part, Table)]
    if len(tables) != len(found.splits) or (
        len(tables) > 1 and set(found.splits) & set(SPLIT_NAMES.values())
    ):
        return found
    shared = [n for n in tables[0].schema.names if all(n in table.schema.names for table in tables)]
    columns = [
        n
        for n in shared
        if (n == "split" or n.startswith("split_")) and _is_text(tables[0].schema.field(n).type)
    ]
    column = "split" if "split" in columns else next(iter(columns), None)
    if column is None:
        return found
    whole = pa.concat_tables([table.columns(shared) for table in tables], promote_options="permissive")
    value = [SPLIT_NAMES.get(str(v).lower()) for v in whole.column(column).to_pylist()]
    kept = whole.drop_columns(columns).replace_schema_metadata(tables[0].schema.metadata)
    splits: dict[str, Part] = {}
    for name in dict.fromkeys(SPLIT_NAMES.values()):
        rows = [i for i, v in enumerate(value) if v == name]
        if rows:
            splits[name] = Table(
                found.name, kept.schema, len(rows), held=kept.take(rows), folder=tables[0].folder
            )
    return Found(found.name, splits) if "train" in splits else found


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _held(name: str, table: pa.Table) -> Table:
    return Table(name, table.schema, table.num_rows, held=table)


def _in_order(names: Sequence[str] | dict[str, Any]) -> list[str]:
    """train, validation, test, then others by name."""
    order = list(dict.fromkeys(SPLIT_NAMES.values()))
    return sorted(names, key=lambda s: (order.index(s) if s in order else len(order), s))


def _parquet(path: Path, files: list[Path]) -> Found:
    """Every NAME.parquet is a split, NAME-00000-of-00005.parquet a part of one; a single file is train."""
    grouped: dict[str, list[Path]] = {}
    for file in files:
        stem = re.sub(r"-\d+-of-\d+$", "", file.stem)
        grouped.setdefault(SPLIT_NAMES.get(stem.lower(), stem), []).append(file)
    if path.is_file():
        grouped = {"train": files}
    splits: dict[str, Part] = {}
    for split in _in_order(grouped):
        parts = grouped[split]
        with readable(parts[0].name, "a Parquet file"):
            rows = sum(pq.read_metadata(file).num_rows for file in parts)
            schemas = [pq.read_schema(file) for file in parts]
            others = [set(schema.names) for schema in schemas]  # names that are no UTF-8 are an error here
            odd = next((file for file, names in zip(parts, others) if names != others[0]), None)
            if odd is not None:
                raise ValueError(f"{odd.name} has other columns")
            schema = schemas[0]
            if len(parts) > 1:
                schema = pa.unify_schemas(schemas, promote_options="permissive")
        if rows == 0:
            raise InputError(f"{parts[0].name} holds no rows")
        splits[split] = Table(parts[0].name, schema, rows, parts, folder=parts[0].parent)
    return Found(path.resolve().stem if path.is_file() else path.resolve().name, splits)


def _hugging_face(data: Any) -> Table | None:
    if not (type(data).__module__.startswith("datasets.") and hasattr(data, "features")):
        return None
    if not hasattr(data, "__len__"):
        raise InputError("this Hugging Face dataset streams; load it without streaming=True")
    features = {name: _feature(feature) for name, feature in data.features.items()}
    held = data.with_format("arrow")[:]
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    held = held.replace_schema_metadata(metadata)
    return Table(str(data.info.dataset_name or "data"), held.schema, held.num_rows, held=held)


def _feature(feature: Any) -> dict[str, Any]:
    names = getattr(feature, "names", None)
    return {"_type": type(feature).__name__, **({"names": list(names)} if names else {})}
