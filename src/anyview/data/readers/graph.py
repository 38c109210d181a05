"""Graphs: ``.npz`` archives, PyG's objects, or a table of edges beside one of nodes."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from anyview.data.graph.clean import pack
from anyview.data.graph.collect import (
    Collected,
    from_archive,
    from_objects,
    from_tables,
    is_graph,
    is_tables,
)
from anyview.data.graph.features import feature_spec, features
from anyview.data.graph.packed import Graphs, Nodes, SparseRows
from anyview.data.graph.places import places
from anyview.data.labels import encode
from anyview.data.parts import Archive, Found, Objects
from anyview.data.readers.base import Reader, none_readable
from anyview.data.source import Dataset, MemorySource, Source, Spec
from anyview.errors import InputError


class GraphReader(Reader):
    modality = "graph"
    wants = "graphs (.npz with edge_index, PyG's Data, or edges.csv and nodes.csv)"

    def claim(self, found: Found) -> float:
        part = found.first
        if isinstance(part, Archive):
            return 0.95 if "edge_index" in part.arrays else 0.0
        if isinstance(part, Objects):
            return 0.95 if is_graph(part.items) or (len(part) and is_graph(part.items[0])) else 0.0
        return 0.95 if is_tables(found) else 0.0

    def read(
        self, found: Found, *, label: str | None = None, size: int | None = None, like: Spec | None = None
    ) -> Dataset:
        """Samples are the nodes of one graph, or graphs; all of it is held. What cannot be read is left out."""
        if size is not None:
            raise InputError("graphs have no size to choose; leave it out")
        part = found.first
        if isinstance(part, Archive) and "edge_index" in part.arrays:
            if len(found.splits) > 1:
                raise InputError(f"{found.name} has an archive a split; give one, with masks or folds in it")
            collected = from_archive(part, label)
        elif is_tables(found):
            collected = from_tables(found, label)
        elif isinstance(part, Objects) and len(part) and (is_graph(part.items) or is_graph(part.items[0])):
            collected = from_objects(found)
        else:
            raise none_readable(found, "graph", self.wants)
        return _dataset(found.name, collected, like)


def _dataset(name: str, found: Collected, like: Spec | None) -> Dataset:
    if like is not None and like["level"] != found.level:
        raise InputError(
            f"the samples of {name} are {found.level}, and the encoder was trained on {like['level']}"
        )
    nodes = found.level == "nodes"
    count = int(found.nodes.sum()) if nodes else len(found.nodes)
    if count == 0:
        raise InputError(f"{name} has no graph that could be read ({len(found.skipped):,} left out)")
    bare = pack(torch.zeros(int(found.nodes.sum()), 1), found.edge_index, found.nodes)
    spec = dict(like) if like is not None else _spec(found, bare, nodes)
    graphs = bare.with_x(features(found.x, found.node_label, bare.degree, spec))
    label, names = _label(found, count)
    if nodes:
        payload: Any = Nodes(graphs, torch.arange(count))
    else:
        payload = graphs.with_x(graphs.x, places(graphs))
    whole = MemorySource("graph", spec, payload, label, names, found.skipped)
    splits: dict[str, Source] = {s: whole.take(rows) for s, rows in found.splits.items()} or {"train": whole}
    more = nodes and "train" in splits and len(splits["train"]) < count
    notes = _notes(found, graphs)
    if more:
        notes.insert(0, f"pretrained on all {count:,} nodes")
    return Dataset(name, "graph", splits, found.skipped, notes, whole if more else None)


def _spec(found: Collected, graphs: Graphs, nodes: bool) -> Spec:
    """Values and scales of train's graphs; of the one graph, of all its nodes, which pretraining sees anyway."""
    train = torch.ones(graphs.count, dtype=torch.bool)
    if not nodes and "train" in found.splits:
        member = torch.zeros(len(graphs), dtype=torch.bool)
        member[found.splits["train"]] = True
        train = member[graphs.graph_of]
    return {"level": found.level, **feature_spec(found.x, found.node_label, graphs.degree, train)}


def _label(found: Collected, count: int) -> tuple[Tensor | None, list[str] | None]:
    y = found.y
    if y is None:
        return None, None
    if isinstance(y, pa.ChunkedArray):
        y = y.to_pylist()
    plain = y.numpy(force=True) if isinstance(y, Tensor) else y
    values = np.asarray(plain).tolist() if not isinstance(plain, list) else plain
    known = [v for v in values if isinstance(v, float) and math.isfinite(v)]
    if any(not v.is_integer() for v in known):  # targets of a regression
        numbers = [math.nan if v is None else float(v) for v in values]
        return torch.tensor(numbers, dtype=torch.float32), None
    label, names = encode({"all": plain}, found.label_names)
    if label["all"] is not None and len(label["all"]) != count:
        raise InputError(f"{count:,} samples have {len(label['all']):,} labels; give one label for each")
    return label["all"], names


def _notes(found: Collected, graphs: Graphs) -> list[str]:
    edges = graphs.edge_index.shape[1] // 2
    notes = [f"{graphs.count:,} nodes and {edges:,} edges in all"]
    loops = int((found.edge_index[0] == found.edge_index[1]).sum())
    if loops:
        notes.append(f"{loops:,} self-loops left out")
    alone = int((graphs.edges == 0).sum())
    if found.level == "graphs" and alone:
        notes.append(f"{alone:,} graphs without edges")
    elif found.level == "nodes" and bool((graphs.degree == 0).any()):
        notes.append(f"{int((graphs.degree == 0).sum()):,} nodes without edges")
    if isinstance(graphs.x, SparseRows):
        share = len(graphs.x.column) / max(1, len(graphs.x) * graphs.x.width)
        notes.append(f"features held sparse ({100 * share:.1f}% are not zero)")
    return notes
