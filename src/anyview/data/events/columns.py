"""The columns of an event log: whose event it is, when it was, and what happened."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anyview.data.source import Spec
from anyview.data.table.columns import (
    FEW,
    MISSING,
    OTHER,
    encode_values,
    fit,
    is_number,
    is_text,
    is_time,
    numbers,
    texts,
)
from anyview.errors import InputError

#: columns taken for the entity and the time unasked, the first that there is
ENTITIES: tuple[str, ...] = (
    "user",
    "customer",
    "client",
    "household",
    "patient",
    "member",
    "visitor",
    "account",
    "card",
)
ENTITIES += ("entity", "session", "device", "id")
TIMES: tuple[str, ...] = ("timestamp", "datetime", "time", "date", "event_time", "created_at", "ts", "when")
#: last words of names of columns whose whole numbers name things
THINGS = {"id", "item", "product", "article", "sku", "merchant", "mcc", "store", "shop", "category", "movie"}
THINGS |= {"department", "type", "kind", "code", "action", "event", "page", "track", "genre", "brand", "song"}
THINGS |= {"channel", "location", "city", "country", "basket", "session", "order", "user", "customer"}
MAX_VALUES = 1000  #: rarer values of a field become "other"
DAY = 86_400
FARTHEST = 1e30  #: a time beyond is none


def entity_column(schema: pa.Schema) -> str | None:
    """The column that says whose event it is: ``user``, ``user_id``, ``customer`` ..., or None."""
    kinds = {name: schema.field(name).type for name in reversed(schema.names)}
    lower = {
        n.lower(): n
        for n, kind in kinds.items()
        if is_number(kind) or is_text(kind) or pa.types.is_null(kind)
    }
    return next(
        (lower[n] for e in ENTITIES for n in (e, f"{e}_id", f"{e}id") if n in lower),
        None,
    )


def time_column(schema: pa.Schema) -> str | None:
    """The column that says when it was: one of the usual names, else the only one that holds times; or None."""
    lower = {name.lower(): name for name in reversed(schema.names)}
    usual = [lower[n] for n in TIMES if n in lower]
    usual = [n for n in usual if is_number(schema.field(n).type) or is_text(schema.field(n).type)]
    times = [n for n in schema.names if is_time(schema.field(n).type)]
    return next(iter(usual), None) or (times[0] if len(times) == 1 else None)


def days(name: str, column: pa.ChunkedArray) -> tuple[np.ndarray, bool]:
    """Times in days since 1970, NaN where there is none, and whether they are dates.

    Numbers of the size of Unix times are seconds, milli-, micro- or nanoseconds; others are steps, not dates.
    A zone is taken into account, and times without one are taken as they are.

    Raises:
        InputError: when it holds no times.
    """
    if is_text(column.type):
        column = _parsed(name, texts(column))
    time = numbers(name, column)
    time = np.where(np.abs(time) < FARTHEST, time, np.nan)
    if is_time(column.type):
        return time, not (pa.types.is_duration(column.type) or pa.types.is_time(column.type))
    known = time[~np.isnan(time)]
    size = float(np.median(known)) if len(known) else 0.0
    unit = next((10.0**k for k in (0, 3, 6, 9) if 1e8 < size / 10.0**k < 1e10), 0)
    return (time / (unit * DAY), True) if unit else (time, False)


def _parsed(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times written as text, with or without a zone, or numbers written as text; see ``days``."""
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.float64()):
        try:
            return column.cast(kind)
        except pa.ArrowException:
            continue
    known = column.drop_null().unique()
    wrong = next((v for v in known if not _is_a_time(v)), known[0])
    raise InputError(
        f'column "{name}" holds no times (such as {str(wrong)[:40]!r}); write all as 2026-01-31 12:00:00 '
        "or as seconds since 1970"
    )


def _is_a_time(value: pa.Scalar) -> bool:
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            value.cast(kind)
            return True
        except pa.ArrowException:
            continue
    return False


def fit_fields(
    table: pa.Table, entity: pa.ChunkedArray, names: list[str], log: str
) -> tuple[Spec, list[str]]:
    """The fields of events, fitted on the events of train, and what was left out and why.

    Raises:
        InputError: when no field is left.
    """
    found = {}
    for name in names:
        column = table.column(name)
        why = "belongs to one entity by each of its values" if _of_one(column, entity) else None
        found[name] = why or fit(name, column, identifier=_names_things(name), most=MAX_VALUES)
    left = {name: why for name, why in found.items() if isinstance(why, str)}
    features = [feature for feature in found.values() if not isinstance(feature, str)]
    if not features:
        whys = ", ".join(f'"{name}" {why}' for name, why in list(left.items())[:4])
        raise InputError(f"{log} has no field that says what happened ({whys or 'there is no other column'})")
    spec: Spec = {
        "numeric": [feature for feature in features if "edges" in feature],
        "categorical": [feature for feature in features if "values" in feature],
    }
    spec["main"] = main_field(table, spec)
    return spec, [f'column "{name}" left out: it {why}' for name, why in left.items()]


def main_field(table: pa.Table, spec: Spec) -> int | None:
    """Place of the categorical field that says most, by its entropy, among those that keep most of their values;
    None where all fields are numbers."""
    best, most = None, -1.0
    for i, feature in enumerate(spec["categorical"]):
        codes = encode_values(table.column(feature["name"]), feature).numpy()
        share = np.bincount(codes, minlength=OTHER + 1) / max(1, len(codes))
        positive = share[share > 0]
        entropy = -float((positive * np.log(positive)).sum())
        entropy -= 10 * (share[OTHER] + share[MISSING] > 0.3)
        if best is None or entropy > most:
            best, most = i, entropy
    return best


def _of_one(column: pa.ChunkedArray, entity: pa.ChunkedArray) -> bool:
    """Whether every value belongs to one entity alone, as numbers of baskets and accounts do."""
    if not (is_text(column.type) or pa.types.is_integer(column.type)):
        return False
    pairs = pa.table({"value": texts(column), "entity": entity}).filter(pc.is_valid(column))
    values = pc.count_distinct(pairs.column("value")).as_py()
    entities = pc.count_distinct(entity).as_py()
    if values <= max(FEW, entities / 2):
        return False
    return bool(pairs.group_by(["value", "entity"]).aggregate([]).num_rows == values)


def _names_things(name: str) -> bool:
    words = name.lower().replace("-", "_").split("_")
    return words[-1] in THINGS
