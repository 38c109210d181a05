"""Graphs: many small ones, or the nodes of one; networks of messages, or a transformer over nodes."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from anyview.data.batch import Payload
from anyview.data.graph.packed import Graphs, Nodes, SparseRows
from anyview.data.source import Source
from anyview.modalities.base import Modality, Raw, Spec
from anyview.views.graph import multi_crop, multi_view, plain_view, two_views

FULL_BATCH = 20_000  #: up to so many nodes of one graph, each step takes all of them
PART = 4_096  #: above that, so many: every step goes through the whole graph anyway
DEGREES = 16  #: bins of the histogram of degrees


class Graph(Modality):
    name = "graph"
    views = {"two_views": two_views, "multi_view": multi_view, "multi_crop": multi_crop, "tokens": plain_view}
    protocols = ("linear", "knn")
    unit = "samples"
    raw_name = "raw features"

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        """A transformer over nodes for methods that hide tokens, a GCN for nodes, a GIN for graphs."""
        if needs == "tokens":
            return "transformer-nano"
        return "gcn-m" if spec["level"] == "nodes" else "gin-s"

    def input(self, spec: Spec) -> dict[str, Any]:
        """Kind and number of features, and how many of them are not zero at a node."""
        entries = {"dense": spec["size"], "sparse": max(1, spec["size"] // 50)}.get(spec["features"], 1)
        return {"features": spec["features"], "size": spec["size"], "entries": entries}

    def batch_size(self, spec: Spec, samples: int) -> int | None:
        if spec["level"] == "graphs":
            return None
        return samples if samples <= FULL_BATCH else PART

    def inputs(self, x: Payload, spec: Spec) -> Payload:
        return x

    def raw(self, train: Source, spec: Spec) -> Raw:
        """Of a node its features; of a graph its size and the histograms of degrees and labels (or the mean of
        the features)."""
        return lambda x: node_features(x, spec) if isinstance(x, Nodes) else histograms(x, spec)

    def told(self, x: Payload, spec: Spec) -> dict[str, list[Any]]:
        """Nodes and edges (both ways) of a graph; of a node its edges."""
        if isinstance(x, Nodes):
            return {"edges": x.graph.degree[x.index].tolist()}
        return {"nodes": x.nodes.tolist(), "edges": x.edges.tolist()}

    def describe(self, spec: Spec) -> str:
        what = {
            "categories": f"{spec['size'] - 1:,} labels of nodes",
            "degree": "without features, degrees instead",
        }.get(spec["features"], f"{spec['size']:,} features")
        return f"{'nodes of a graph' if spec['level'] == 'nodes' else 'graphs'}, {what}"

    def check(self, spec: Spec) -> None:
        self.input(spec)
        self.describe(spec)
        if spec["level"] not in ("nodes", "graphs") or int(spec["size"]) < 1:
            raise ValueError("no spec of graphs")


def node_features(x: Nodes, spec: Spec) -> Tensor:
    """The features of the nodes, dense; categories one-hot."""
    features = x.graph.x[x.index]
    if isinstance(features, SparseRows):
        return features.dense()
    return features if features.is_floating_point() else F.one_hot(features[:, 0], spec["size"]).float()


def histograms(x: Graphs, spec: Spec) -> Tensor:
    """Logarithms of the numbers of nodes and edges, shares of nodes by degree, and by label (or mean features)."""
    size = torch.stack([x.nodes, x.edges], 1).float().log1p()
    parts = [F.one_hot(x.degree.clamp_max(DEGREES - 1), DEGREES).float()]
    if isinstance(x.x, SparseRows):
        parts.append(x.x.dense())
    elif x.x.is_floating_point():
        parts.append(x.x)
    elif spec["features"] == "categories":
        parts.append(F.one_hot(x.x[:, 0], spec["size"]).float())
    each = torch.cat(parts, 1)
    total = each.new_zeros(len(x), each.shape[1]).index_add(0, x.graph_of, each)
    return torch.cat([size, total / x.nodes[:, None]], 1)


MODALITY = Graph()
