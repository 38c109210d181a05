"""What was found, as arrays of one big pack of nodes and edges: from archives, PyG objects or two tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from anyview.data.graph.clean import broken
from anyview.data.graph.features import as_labels
from anyview.data.parts import SPLIT_NAMES, Archive, Found, Objects, Table, readable
from anyview.data.source import Skipped
from anyview.data.table.columns import texts
from anyview.errors import InputError, unknown

MASKS = {
    "train_mask": "train",
    "val_mask": "validation",
    "validation_mask": "validation",
    "test_mask": "test",
}
SAMPLE_LABELS = ("y", "label", "labels", "target")


@dataclass
class Collected:
    """Nodes of all graphs, end to end, as they were found.

    Attributes:
        level: what a sample is: ``nodes`` or ``graphs``.
        x, node_label: of the nodes, or None.
        edge_index: numbers the nodes of all graphs.
        nodes: how many each graph has.
        y: one value a sample (numpy, list or column), or None.
        splits: samples by split.
    """

    level: str
    x: Tensor | None
    node_label: Tensor | None
    edge_index: Tensor
    nodes: Tensor
    y: Any = None
    label_names: list[str] | None = None
    splits: dict[str, Tensor] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)


def from_archive(archive: Archive, label: str | None) -> Collected:
    """One ``.npz``: ``edge_index`` with ``x`` and masks (nodes), or with ``graph_ptr`` and ``fold`` (graphs).

    The last fold is test and the one before it validation.
    """
    arrays = archive.arrays
    y = _labels_of(archive, label)
    names = [str(n) for n in arrays["label_names"]] if "label_names" in arrays else None
    x, node_label = _features_of(archive)
    edges = _numbers_of(archive, "edge_index")
    if "graph_ptr" not in arrays:
        count = next((len(v) for v in (x, node_label, y) if v is not None), None)
        count = (int(edges.max()) + 1 if edges.numel() else 0) if count is None else count
        reason = broken(x, edges, count, node_label)
        if reason is not None:
            raise InputError(f"{archive.name} cannot be read as a graph: {reason}")
        splits = {MASKS[k]: _members(archive, k, count) for k in MASKS if k in arrays}
        splits = {split: rows for split, rows in splits.items() if len(rows)}
        return Collected("nodes", x, node_label, edges.long(), torch.tensor([count]), y, names, splits)
    pointer = _numbers_of(archive, "graph_ptr")
    flat = pointer.ndim == 1 and not pointer.is_floating_point()
    nodes = pointer.long().diff()
    total = int(pointer[-1]) if flat and len(pointer) else 0
    if not flat or len(pointer) < 2 or bool((nodes < 0).any()) or int(pointer[0]) != 0:
        raise InputError(
            f"{archive.name} has a graph_ptr that does not rise from 0, a number for each graph and one"
        )
    if edges.ndim != 2 or edges.shape[0] != 2 or edges.is_floating_point():
        raise InputError(f"{archive.name} cannot be read as graphs: {broken(None, edges, 1)}")
    if x is not None and x.ndim != 2:
        raise InputError(f"{archive.name} cannot be read as graphs: {broken(x, edges, len(x))}")
    if any(v is not None and len(v) != total for v in (x, node_label)):
        raise InputError(
            f"{archive.name} has {total:,} nodes by its graph_ptr, and features of another number"
        )
    for what, of_graphs in (("labels", y), ("folds", arrays.get("fold"))):
        if of_graphs is not None and np.shape(of_graphs)[:1] != (len(nodes),):
            raise InputError(
                f"{archive.name} has {len(nodes):,} graphs and {what} of shape {np.shape(of_graphs)}; "
                "give one label for each"
            )
    kept, skipped = _whole(edges.long(), nodes, x, archive.name)
    splits = {}
    if "fold" in arrays:
        fold = _numbers_of(archive, "fold")
        last = int(fold.max())
        parts = {"train": fold < last - 1, "validation": fold == last - 1, "test": fold == last}
        splits = {s: rows.nonzero()[:, 0] for s, rows in parts.items() if rows.any()}
        splits = splits if "train" in splits else {}
    found = Collected("graphs", x, node_label, edges.long(), nodes, y, names, splits, skipped)
    return found if bool(kept.all()) else _keep(found, kept)


def _labels_of(archive: Archive, label: str | None) -> Any:
    arrays = archive.arrays
    if label is not None:
        if label not in arrays:
            raise unknown("array", label, arrays, f"in {archive.name}")
        return arrays[label]
    return next((arrays[name] for name in SAMPLE_LABELS if name in arrays), None)


def _numbers_of(archive: Archive, name: str) -> Tensor:
    """An array of an archive; what is unsigned and beyond int64 becomes negative, as no number of a node is."""
    array = archive.arrays[name]
    if array.dtype.kind not in "buif":
        raise InputError(
            f"{archive.name} cannot be read as a graph: {name} holds {array.dtype}; give numbers"
        )
    return torch.as_tensor(array.astype(np.int64) if array.dtype.kind == "u" else array)


def _members(archive: Archive, mask: str, nodes: int) -> Tensor:
    """The nodes that a mask is true of."""
    values = _numbers_of(archive, mask)
    if values.shape[:1] != (nodes,) or values.ndim > 2:
        raise InputError(
            f"{archive.name} has {nodes:,} nodes and a {mask} of shape {tuple(values.shape)}; "
            "give one value for each node"
        )
    return (values if values.ndim == 1 else values[:, 0]).nonzero()[:, 0]  # of several splits the first


def _features_of(archive: Archive) -> tuple[Tensor | None, Tensor | None]:
    x = _numbers_of(archive, "x") if "x" in archive.arrays else None
    node_label = _numbers_of(archive, "node_label") if "node_label" in archive.arrays else None
    if x is not None:
        x = x[:, None].float() if x.ndim == 1 else x.float()
        if node_label is None and (labels := as_labels(x)) is not None:
            return None, labels
    return x, None if node_label is None else node_label.long().flatten()


def _whole(edges: Tensor, nodes: Tensor, x: Tensor | None, name: str) -> tuple[Tensor, list[Skipped]]:
    """Which graphs can be read, and why others cannot."""
    total = int(nodes.sum())
    graph_of = torch.arange(len(nodes)).repeat_interleave(nodes)
    inside = ((edges >= 0) & (edges < total)).all(0)
    ends = graph_of[edges.clamp(0, max(total - 1, 0))] if total else edges.clamp(0, 0)
    lost = ~inside | (ends[0] != ends[1])
    strays = {int(g) for e, g in zip(edges.T[lost].tolist(), ends.T[lost].amin(1)) if e}
    bad = dict.fromkeys(sorted(strays), "has edges to nodes that do not exist in it")
    bad |= {int(g): "has no nodes" for g in (nodes == 0).nonzero()[:, 0]}
    if x is not None:
        wrong = graph_of[~x.flatten(1).isfinite().all(1)].unique().tolist()
        bad |= dict.fromkeys(wrong, "has features that are not finite (NaN or infinite)")
    kept = torch.ones(len(nodes), dtype=torch.bool)
    kept[list(bad)] = False
    return kept, [Skipped(f"{name}, graph {g}", reason) for g, reason in sorted(bad.items())]


def _keep(found: Collected, kept: Tensor) -> Collected:
    """Some of the graphs."""
    graph_of = torch.arange(len(kept)).repeat_interleave(found.nodes)
    node = kept[graph_of]
    number, sample = node.cumsum(0) - 1, kept.cumsum(0) - 1
    total = len(node)
    edge = ((found.edge_index >= 0) & (found.edge_index < total)).all(0)
    edge &= node[found.edge_index.clamp(0, max(total - 1, 0))].all(0)
    y = found.y
    return Collected(
        found.level,
        None if found.x is None else found.x[node],
        None if found.node_label is None else found.node_label[node],
        number[found.edge_index[:, edge]],
        found.nodes[kept],
        None if y is None else np.asarray(y)[kept.numpy()],
        found.label_names,
        {s: sample[rows[kept[rows]]] for s, rows in found.splits.items()},
        found.skipped,
    )


# ---- objects that look like PyG's Data


def is_graph(item: Any) -> bool:
    """Whether an object has what PyG's ``Data`` has: ``edge_index``, and features or a number of nodes."""
    item = item[0] if isinstance(item, tuple) and item else item
    return getattr(item, "edge_index", None) is not None


def from_objects(found: Found) -> Collected:
    """One ``Data`` (a sample is a node), or a list or dataset of them (a sample is a graph), by split."""
    parts = {name: part.items for name, part in found.splits.items() if isinstance(part, Objects)}
    if any(is_graph(items) for items in parts.values()):
        if len(parts) > 1:
            raise InputError(
                "one graph a split has no common nodes; give one graph with masks, or lists of graphs"
            )
        return _one(next(iter(parts.values())), found.name)
    graphs: list[tuple[Tensor | None, Tensor, int]] = []
    skipped: list[Skipped] = []
    splits: dict[str, Tensor] = {}
    y: list[Any] = []
    for split, items in parts.items():
        rows = []
        for i in range(len(items)):
            item = items[i]
            data, given = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
            try:
                x, edges, count = _arrays_of(data)
                reason = broken(x, edges, count)
            except Exception as error:  # whatever a stranger's object gives
                reason = f"is no graph ({' '.join(str(error).split())[:80]})"
            if reason is not None:
                skipped.append(Skipped(f"{split}[{i}]", reason))
                continue
            value = getattr(data, "y", None) if given is None else given
            value = None if value is None else torch.as_tensor(value).flatten()
            y.append(None if value is None or len(value) != 1 else value.item())
            rows.append(len(graphs))
            graphs.append((x, edges.long(), count))
        splits[split] = torch.tensor(rows, dtype=torch.int64)
    if not graphs:
        first = f" (first: {skipped[0].path}: {skipped[0].reason})" if skipped else ""
        raise InputError(f"{found.name} holds no graph that could be read{first}")
    widths = {None if x is None else x.shape[1] for x, _, _ in graphs}
    if len(widths) > 1:
        raise InputError(
            f"the nodes of these graphs have different numbers of features: {sorted(map(str, widths))}"
        )
    nodes = torch.tensor([count for _, _, count in graphs])
    starts = nodes.cumsum(0) - nodes
    edge_index = torch.cat([e + int(s) for (_, e, _), s in zip(graphs, starts)], 1)
    x = None if None in widths else torch.cat([g[0] for g in graphs if g[0] is not None])
    x, labels = (None, None) if x is None else _as_features(x)
    known = any(value is not None for value in y)
    splits = {s: rows for s, rows in splits.items() if len(rows)}
    return Collected("graphs", x, labels, edge_index, nodes, y if known else None, None, splits, skipped)


def _one(data: Any, name: str) -> Collected:
    x, edges, count = _arrays_of(data)
    reason = broken(x, edges, count)
    if reason is not None:
        raise InputError(f"{name} cannot be read as a graph: {reason}")
    x, labels = (None, None) if x is None else _as_features(x)
    y = getattr(data, "y", None)
    y = None if y is None else torch.as_tensor(y).flatten()
    if y is not None and len(y) != count:
        raise InputError(
            f"this graph has {count:,} nodes and {len(y):,} labels; give one label for each node"
        )
    splits = {}
    for key, split in MASKS.items():
        mask = getattr(data, key, None)
        if mask is not None:
            mask = mask[:, 0] if mask.ndim == 2 else mask  # of several splits the first
            splits[split] = mask.nonzero()[:, 0]
    return Collected("nodes", x, labels, edges.long(), torch.tensor([count]), y, None, splits)


def _arrays_of(data: Any) -> tuple[Tensor | None, Tensor, int]:
    x = getattr(data, "x", None)
    x = None if x is None else torch.as_tensor(x)
    if x is not None:
        x = x.to_dense() if x.layout != torch.strided else x
        x = x[:, None].float() if x.ndim == 1 else x.float()
    edges = torch.as_tensor(data.edge_index)
    count = len(x) if x is not None else getattr(data, "num_nodes", None)
    return x, edges, int(count if count is not None else (edges.max() + 1 if edges.numel() else 0))


def _as_features(x: Tensor) -> tuple[Tensor | None, Tensor | None]:
    labels = as_labels(x)
    return (x, None) if labels is None else (None, labels)


# ---- two tables


def is_tables(found: Found) -> bool:
    """Whether there are a table of edges and one of nodes, by their names."""
    return set(found.splits) == {"edges", "nodes"} and all(
        isinstance(p, Table) for p in found.splits.values()
    )


def from_tables(found: Found, label: str | None) -> Collected:
    """``edges`` (its first two columns name nodes) and ``nodes``: the first column, or one called ``id`` or
    ``node``, names the node; ``label`` or ``y`` is its class, ``split`` its split, other numbers are features."""
    edges, nodes = found.splits["edges"], found.splits["nodes"]
    assert isinstance(edges, Table)
    assert isinstance(nodes, Table)
    held = nodes.columns(nodes.schema.names)
    key = next((n for n in held.column_names if n.lower() in ("id", "node", "node_id")), held.column_names[0])
    with readable(nodes.name, "a table of nodes"):
        names = texts(held.column(key)).to_pylist()
    number: Mapping[str, int] = {name: i for i, name in enumerate(names)}
    if None in number:
        raise InputError(f"{nodes.name} has a node without a name in its column {key}")
    if len(number) < len(held):
        raise InputError(f"{nodes.name} names {len(held) - len(number):,} nodes twice in its column {key}")
    pair = edges.columns(edges.schema.names[:2])
    if pair.num_columns < 2:
        raise InputError(
            f"{edges.name} has no two columns; give the names of the nodes at both ends of an edge"
        )
    with readable(edges.name, "a table of edges"):
        ends = [[number.get(v, -1) for v in texts(column).to_pylist()] for column in pair.columns]
    edge_index = torch.tensor(ends, dtype=torch.int64).view(2, -1)
    lost = (edge_index < 0).any(0)
    if lost.any():
        first = {name: str(v[int(lost.nonzero()[0])]) for name, v in zip(pair.column_names, pair.columns)}
        raise InputError(
            f"{edges.name} has {int(lost.sum()):,} edges to nodes that {nodes.name} does not have (first: {first})"
        )
    if label is not None and label not in held.column_names:
        raise unknown("column", label, held.column_names, f"in {nodes.name}")
    target = label or next((n for n in SAMPLE_LABELS if n in held.column_names), None)
    numeric = [
        name
        for name in held.column_names
        if name not in (key, target, "split")
        and (pa.types.is_integer(kind := held.schema.field(name).type) or pa.types.is_floating(kind))
    ]
    x = None
    if numeric:
        values = [held.column(n).cast(pa.float64(), safe=False).to_numpy() for n in numeric]  # null is NaN
        x = torch.from_numpy(np.stack(values, 1)).float()
    reason = broken(x, edge_index, len(held))
    if reason is not None:
        raise InputError(f"{found.name} cannot be read as a graph: {reason}")
    splits: dict[str, Tensor] = {}
    if "split" in held.column_names:
        value = [SPLIT_NAMES.get(str(v).lower()) for v in held.column("split").to_pylist()]
        named = {s: [i for i, v in enumerate(value) if v == s] for s in dict.fromkeys(SPLIT_NAMES.values())}
        splits = {s: torch.tensor(rows) for s, rows in named.items() if rows}
    y = None if target is None else held.column(target)
    return Collected("nodes", x, None, edge_index, torch.tensor([len(held)]), y, None, splits)
