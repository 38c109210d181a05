"""Tables as payloads: which columns are features, and the rows as numbers and codes."""

from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from anyview.data.parts import Table
from anyview.data.source import Spec
from anyview.data.table.columns import MISSING, encode_numbers, encode_values, fit
from anyview.errors import InputError

Payload = dict[str, Tensor]


def fit_rows(table: pa.Table, name: str) -> tuple[Spec, list[str]]:
    """The spec of a table's rows, and what was left out and why.

    Raises:
        InputError: when no column is left.
    """
    found = {column: fit(column, table.column(column)) for column in table.schema.names}
    left = {column: why for column, why in found.items() if isinstance(why, str)}
    features = [feature for feature in found.values() if not isinstance(feature, str)]
    if not features:
        whys = ", ".join(f'"{column}" {why}' for column, why in list(left.items())[:4])
        raise InputError(
            f"{name} has no column to learn from ({whys or 'there is none'}); give columns that vary"
        )
    spec = {
        "numeric": [feature for feature in features if "edges" in feature],
        "categorical": [feature for feature in features if "values" in feature],
    }
    return spec, [f'column "{column}" left out: it {why}' for column, why in left.items()]


def check_columns(table: Table, spec: Spec, label: str | None) -> None:
    """Raises InputError when a table lacks what ``spec`` needs, or would be judged by what it shows."""
    needed = names(spec)
    lacking = [column for column in needed if column not in table.schema.names]
    if lacking:
        raise InputError(
            f'{table.name} has no column "{lacking[0]}" (columns: {", ".join(table.schema.names)}); '
            "the encoder was trained on it"
        )
    if label in needed:
        raise InputError(
            f'column "{label}" was among the features, so it cannot be the label; '
            f"pretrain again with --label {label}"
        )


def encode_rows(table: pa.Table, spec: Spec) -> Payload:
    """``numeric`` float32 ``(rows, k)`` with NaN for missing, ``categorical`` int64 ``(rows, m)``."""
    rows = table.num_rows
    numeric = [encode_numbers(table.column(f["name"]), f) for f in spec["numeric"]]
    categorical = [encode_values(table.column(f["name"]), f) for f in spec["categorical"]]
    return {
        "numeric": torch.stack(numeric, 1) if numeric else torch.zeros(rows, 0),
        "categorical": torch.stack(categorical, 1)
        if categorical
        else torch.zeros(rows, 0, dtype=torch.int64),
    }


def names(spec: Spec) -> list[str]:
    """The columns that are features, numeric ones first."""
    return [feature["name"] for kind in ("numeric", "categorical") for feature in spec[kind]]


def missing_share(x: dict[str, Any]) -> float:
    """Share of the cells without a value."""
    numeric, categorical = x["numeric"], x["categorical"]
    gone = int(numeric.isnan().sum()) + int((categorical == MISSING).sum())
    return gone / max(1, numeric.numel() + categorical.numel())
