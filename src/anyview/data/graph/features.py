"""Features of nodes as a network takes them, by a spec that other graphs can be read by again."""

from typing import Any

import torch
from torch import Tensor

from anyview.data.graph.packed import SparseRows
from anyview.errors import InputError

Spec = dict[str, Any]

SPARSE = 0.2  #: features of which fewer entries than this are not zero are held sparse
MAX_DEGREE = 64  #: nodes without features or labels are told apart by their degree, up to this


def feature_spec(x: Tensor | None, label: Tensor | None, degree: Tensor, train: Tensor) -> Spec:
    """What the features are and what is needed to read others alike.

    Args:
        x: ``(nodes, features)`` fractions, or None.
        label: ``(nodes,)`` whole numbers, or None.
        degree: of the nodes.
        train: ``(nodes,)`` bool: which nodes to take values and scales from.

    ``features`` is ``categories`` (labels alone; ``size`` is how many, with 0 for unknown), ``degree`` (there is
    nothing else), ``sparse`` (mostly zeros) or ``dense`` (standardised; labels stand behind as one-hot columns).
    """
    values = [] if label is None else label[train].unique().tolist()
    if x is None:
        if label is not None:
            return {"features": "categories", "size": len(values) + 1, "values": values}
        return {"features": "degree", "size": min(MAX_DEGREE, int(degree[train].max())) + 2}
    size = x.shape[1] + len(values)
    spec = {"size": size, "columns": x.shape[1], "values": values}
    if not values and x.count_nonzero() < SPARSE * x.numel():
        return {"features": "sparse", **spec, "rows_sum_to_1": bool((x >= 0).all())}
    std, mean = torch.std_mean(x[train].double(), dim=0, correction=0)
    std = torch.where(std > 1e-6 * mean.abs().clamp_min(1e-6), std, 1.0)
    return {
        "features": "dense",
        **spec,
        "mean": [round(v, 6) for v in mean.tolist()],
        "std": [float(f"{v:.6g}") for v in std.tolist()],
    }


def features(x: Tensor | None, label: Tensor | None, degree: Tensor, spec: Spec) -> Tensor | SparseRows:
    """Features of nodes as ``spec`` says.

    Raises:
        InputError: when the nodes do not have what the spec needs.
    """
    kind = spec["features"]
    if kind == "degree":
        return degree.clamp(max=spec["size"] - 2)[:, None] + 1
    if spec["values"] and label is None:
        raise InputError(
            "these graphs have no labels of nodes (node_label), and the encoder was trained on them"
        )
    if kind == "categories":
        return _number(label, spec["values"])[:, None]
    if x is None or x.shape[1] != spec["columns"]:
        has = "no features" if x is None else f"{x.shape[1]:,} features"
        raise InputError(f"these nodes have {has}, and the encoder was trained on {spec['columns']:,}")
    if kind == "sparse":
        rows = SparseRows.of(x.float())
        if spec["rows_sum_to_1"]:
            total = torch.zeros(len(rows)).index_add_(0, rows.row, rows.value)
            rows = SparseRows(rows.column, rows.value / total[rows.row], rows.length, rows.width)
        return rows
    scaled = ((x.double() - torch.tensor(spec["mean"])) / torch.tensor(spec["std"])).float()
    if not spec["values"]:
        return scaled
    number = _number(label, spec["values"])
    one_hot = torch.nn.functional.one_hot(number, len(spec["values"]) + 1)[:, 1:]
    return torch.cat([scaled, one_hot.float()], 1)


def as_labels(x: Tensor) -> Tensor | None:
    """The column of the single 1 in each row, when all rows are one-hot; else None."""
    if (
        x.ndim != 2
        or x.shape[1] < 2
        or not bool(((x == 0) | (x == 1)).all())
        or not bool((x.sum(1) == 1).all())
    ):
        return None
    return x.argmax(1)


def _number(label: Tensor | None, values: list[int]) -> Tensor:
    """The place of each label among ``values``, from 1; 0 for one that is not there."""
    assert label is not None
    known = torch.tensor(values, dtype=torch.int64)
    if not len(known):
        return torch.zeros(len(label), dtype=torch.int64)
    place = torch.searchsorted(known, label).clamp_max(len(known) - 1)
    return torch.where(known[place] == label, place + 1, 0)
