"""Columns as features: what a column holds, fitted on train, and other data read in the same way.

A feature is a dict of JSON's types. A numeric one has ``middle`` and ``spread`` (what it is scaled by) and
``edges`` (its quantiles, after scaling); a categorical one has ``values``, the most frequent first.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from anyview.errors import InputError

Feature = dict[str, Any]

MISSING, OTHER, KNOWN = 0, 1, 2  #: codes of a category: no value, one that train has not, then the values
MAX_VALUES = 256  #: rarer values of a category become "other"
FEW = 10  #: whole numbers with at most so many different values are categories
BINS = 16  #: of the quantiles that stand for a number when it is to be guessed
CLIP = 3.0  #: scaled numbers lie between -3 and 3
LARGEST = 1e300  #: numbers beyond are taken for it, so that differences of two never overflow
DAY = 86_400
PER_DAY = {"s": DAY, "ms": DAY * 1e3, "us": DAY * 1e6, "ns": DAY * 1e9}  #: units of Arrow's times


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds strings, or a dictionary of them."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type) or is_number(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_number(kind: pa.DataType) -> bool:
    """Whether a column holds numbers or times."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(kind) for test in tests) or is_time(kind)


def is_time(kind: pa.DataType) -> bool:
    """Whether a column holds dates, times or durations."""
    tests = (pa.types.is_timestamp, pa.types.is_date, pa.types.is_duration, pa.types.is_time)
    return any(test(kind) for test in tests)


def is_feature(kind: pa.DataType) -> bool:
    """Whether a column can be a feature at all; lists, structs and bytes cannot."""
    return is_text(kind) or is_number(kind) or pa.types.is_boolean(kind)


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same values in a type that Arrow computes with: no dictionary, no view, no half float."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    kind = pa.string() if pa.types.is_string_view(kind) else kind
    return column.cast(pa.float32() if pa.types.is_float16(kind) else kind)


def numbers(name: str, column: pa.ChunkedArray) -> np.ndarray:
    """A column as float64, NaN where there is nothing or infinity; times are in days (dates since 1970).

    Raises:
        InputError: when a value is no number.
    """
    column, per_day = plain(column), 1.0
    kind = column.type
    try:
        if is_time(kind):
            short = pa.types.is_date32(kind) or pa.types.is_time32(kind)
            column = column.cast(pa.int32() if short else pa.int64())
            if not pa.types.is_date32(kind):
                per_day = PER_DAY["ms" if pa.types.is_date64(kind) else kind.unit]
        out = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
    except pa.ArrowException as error:
        raise InputError(
            f'column "{name}" should hold numbers, as it did before, and holds {kind}; mend it'
        ) from error
    return np.where(np.isfinite(out), out, np.nan).clip(-LARGEST, LARGEST) / per_day


def texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as strings, null where there is nothing: ``3`` and ``3.0`` are the same category."""
    column = plain(column)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
        if (
            _whole(column) and (pc.max(pc.abs(column)).as_py() or 0) < 2**53
        ):  # beyond, floats skip whole numbers
            column = column.cast(pa.int64())
    return column.cast(pa.string())


def fit(
    name: str, column: pa.ChunkedArray, identifier: bool = False, most: int = MAX_VALUES
) -> Feature | str:
    """The feature that a column of train is, or why it is none.

    Args:
        identifier: its whole numbers are names of things, whatever their count.
        most: values of a category that are told apart.
    """
    column = plain(column) if is_feature(column.type) else column
    kind = column.type
    if not is_feature(kind) and not pa.types.is_null(kind):
        return f"holds {kind}"
    known = column.drop_null()
    if pa.types.is_floating(kind):
        known = known.filter(pc.is_finite(known))
    distinct, missing = pc.count_distinct(known).as_py() if len(known) else 0, len(column) - len(known)
    if distinct == 0 or (distinct == 1 and not missing):
        return "has one value" if distinct else "is empty"
    if is_text(kind) and distinct > max(20, len(known) / 2):
        return "has hardly two values alike"
    if not is_text(kind) and distinct == len(known) and _named_id(name):
        return "numbers the rows"
    whole = pa.types.is_integer(kind) or (pa.types.is_floating(kind) and distinct <= FEW and _whole(known))
    if is_text(kind) or distinct <= 2 or (whole and (identifier or distinct <= FEW)) or kind == pa.bool_():
        return fit_values(name, known, most)
    return fit_scale(name, numbers(name, known))


def fit_values(name: str, known: pa.ChunkedArray, most: int) -> Feature:
    """A categorical feature: its values by frequency, then by name, ``most`` of them."""
    counts = pc.value_counts(texts(known)).to_pylist()
    order = sorted(counts, key=lambda c: (-c["counts"], c["values"]))
    return {"name": name, "values": [c["values"] for c in order[:most]]}


def fit_scale(name: str, x: np.ndarray) -> Feature:
    """A numeric feature: median and range between the quartiles, and quantiles as edges of bins.

    Where the quartiles agree (capital gains are mostly zero) quantiles further out stand for them. The scale is
    that of RealMLP (arXiv:2407.04491, section 3), which then takes the whole range at once.
    """
    middle, spread = np.median(x), 0.0
    for tail in (0.25, 0.1, 0.025, 0.005, 0.0):
        low, high = np.quantile(x, [tail, 1 - tail])
        spread = spread or high - low
    feature = {"name": name, "middle": float(middle), "spread": float(spread)}
    inner = np.unique(np.quantile(x, np.arange(1, BINS) / BINS, method="lower"))
    # a value on an edge belongs to the bin below it
    inner = inner[inner < x.max()] if (inner < x.max()).any() else np.array([(x.min() + x.max()) / 2])
    return feature | {"edges": scale(inner, feature).astype(np.float32).tolist()}


def scale(x: np.ndarray, feature: Feature) -> np.ndarray:
    """Scaled and smoothly clipped to -3 .. 3, so that no outlier counts for more than being large."""
    with np.errstate(over="ignore"):
        z = ((x - feature["middle"]) / feature["spread"]).clip(-LARGEST, LARGEST)
    return z / np.hypot(1, z / CLIP)  # a square would overflow


def encode_numbers(column: pa.ChunkedArray, feature: Feature) -> Float32[Tensor, "rows"]:
    """A column as the feature it was fitted as; NaN where there is nothing."""
    return torch.from_numpy(scale(numbers(feature["name"], column), feature).astype(np.float32))


def encode_values(column: pa.ChunkedArray, feature: Feature) -> Int64[Tensor, "rows"]:
    """A column as codes: ``MISSING``, ``OTHER`` for values that train has not, then those it has."""
    coded = texts(column).combine_chunks().dictionary_encode()
    code = {value: i for i, value in enumerate(feature["values"], KNOWN)}
    table = np.array([code.get(v, OTHER) for v in coded.dictionary.to_pylist()] + [MISSING], dtype=np.int64)
    places = pc.fill_null(coded.indices, len(table) - 1).to_numpy(zero_copy_only=False)
    return torch.from_numpy(table[places])


def _whole(column: pa.ChunkedArray) -> bool:
    known = column.drop_null()
    return bool(pc.all(pc.equal(pc.round(known), known)).as_py() is not False)


def _named_id(name: str) -> bool:
    words = name.lower().replace("-", "_").replace(" ", "_").split("_")
    return words[-1] in ("id", "index", "row", "no", "nr") or name.lower().startswith("unnamed") or not name
