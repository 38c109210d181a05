"""Views of graphs and of the nodes of one: what a user can ask for, and the Batches that come of it."""

from dataclasses import dataclass
from typing import Any

import torch

from anyview.data.batch import Batch
from anyview.data.graph.packed import Graphs, Nodes
from anyview.data.graph.places import AXES
from anyview.errors import InputError, unknown
from anyview.views import graph_ops as ops
from anyview.views.base import Views

DIFFUSIONS = ("none", "ppr", "heat")


@dataclass
class Augment:
    """One distribution of views; see ``two_views`` for what its numbers mean."""

    edge_drop: float = 0.0
    feature_mask: float = 0.0
    subgraph: float = 1.0
    diffusion: str = "none"

    def __post_init__(self) -> None:
        for what, rate in (("edge_drop", self.edge_drop), ("feature_mask", self.feature_mask)):
            if not 0 <= rate < 1:
                raise InputError(f"{what} is a share from 0 up to below 1, not {rate:g}")
        if not 0 < self.subgraph <= 1:
            raise InputError(f"subgraph is a share above 0 and up to 1, not {self.subgraph:g}")
        if self.diffusion not in DIFFUSIONS:
            raise unknown("diffusion", self.diffusion, DIFFUSIONS)
        self._of: tuple[Graphs | None, Graphs | None] = (None, None)  # the last one graph, and its diffusion

    def __call__(self, graphs: Graphs, whole: bool) -> tuple[Graphs, torch.Tensor]:
        """The view, and which nodes are left in it; ``whole`` keeps all, and cuts the edges of the others."""
        graphs = self._diffused(graphs, whole)
        kept = torch.ones(graphs.count, dtype=torch.bool, device=graphs.device)
        if self.subgraph < 1:
            kept = ops.region(graphs, self.subgraph)
            inside = kept[graphs.edge_index].all(0)
            graphs = graphs.with_edges(inside) if whole else graphs.induced(kept)
        graphs = ops.drop_edges(graphs, self.edge_drop)
        return ops.flip_places(ops.hide_features(graphs, self.feature_mask), AXES), kept

    def _diffused(self, graphs: Graphs, whole: bool) -> Graphs:
        if self.diffusion == "none":
            return graphs
        if not whole:
            return ops.diffuse(graphs, self.diffusion)
        if self._of[0] is not graphs:  # the one graph comes with every batch: once is enough
            self._of = (graphs, ops.diffuse(graphs, self.diffusion))
        assert self._of[1] is not None
        return self._of[1]


class GraphViews(Views):
    """Views of whole graphs (packed), or of one graph whose nodes are the samples.

    A view of nodes is a view of their whole graph, drawn once for all of them. ``meta`` keeps, for each sample,
    how many ``nodes`` and ``edges`` a graph has left, or whether a node lies in the kept ``region``.
    """

    def __init__(self, parts: list[tuple[Augment, int]]) -> None:
        self.augments = [augment for augment, count in parts for _ in range(count)]
        self.count = len(self.augments)
        if self.count < 1:
            raise InputError("views of graphs need a count of at least 1")

    @torch.no_grad()
    def __call__(self, batch: Batch) -> list[Batch]:
        return [self._view(batch, augment) for augment in self.augments]

    def _view(self, batch: Batch, augment: Augment) -> Batch:
        x = batch.x
        if isinstance(x, Nodes):
            graph, kept = augment(x.graph, whole=True)
            return batch.with_x(Nodes(graph, x.index), region=kept[x.index])
        graphs, _ = augment(x, whole=False)
        return batch.with_x(graphs, nodes=graphs.nodes, edges=graphs.edges)


def _strengths(
    spec: dict[str, Any], edge_drop: float | None, feature_mask: float | None, subgraph: float | None
) -> dict[str, Any]:
    """What is not given: GRACE's rates for the nodes of one graph, GraphCL's for whole graphs."""
    usual = (0.4, 0.4, 1.0) if spec["level"] == "nodes" else (0.1, 0.2, 0.8)
    given = (edge_drop, feature_mask, subgraph)
    names = ("edge_drop", "feature_mask", "subgraph")
    return {name: u if g is None else g for name, u, g in zip(names, usual, given)}


def two_views(
    spec: dict[str, Any],
    *,
    edge_drop: float | None = None,
    feature_mask: float | None = None,
    subgraph: float | None = None,
    diffusion: str = "none",
) -> GraphViews:
    """Two views of each graph, or of the graph whose nodes are the samples (GRACE, arXiv:2006.04131; GraphCL,
    arXiv:2010.13902; MVGRL, arXiv:2006.05582).

    Args:
        spec: what the graphs are like.
        edge_drop: share of the edges left out; when None 0.4 for nodes and 0.1 for graphs.
        feature_mask: share of the feature columns set to zero, or of the nodes whose category is hidden; when
            None 0.4 for nodes and 0.2 for graphs.
        subgraph: share of the nodes in the region that is kept, 1 keeps all; when None 1 for nodes and 0.8 for
            graphs. Of one graph all nodes stay, and those outside the region lose their edges.
        diffusion: the second view's edges are those of a diffusion: none, ppr or heat.
    """
    strengths = _strengths(spec, edge_drop, feature_mask, subgraph)
    return GraphViews([(Augment(**strengths), 1), (Augment(**strengths, diffusion=diffusion), 1)])


def multi_view(
    spec: dict[str, Any],
    *,
    count: int = 4,
    edge_drop: float | None = None,
    feature_mask: float | None = None,
    subgraph: float | None = None,
) -> GraphViews:
    """Any number of views of one distribution.

    Args:
        spec: what the graphs are like.
        count: number of views.
        edge_drop: share of the edges left out; when None 0.4 for nodes and 0.1 for graphs.
        feature_mask: share of the feature columns set to zero, or of the nodes whose category is hidden; when
            None 0.4 for nodes and 0.2 for graphs.
        subgraph: share of the nodes in the region that is kept; when None 1 for nodes and 0.8 for graphs.
    """
    return GraphViews([(Augment(**_strengths(spec, edge_drop, feature_mask, subgraph)), count)])


def multi_crop(
    spec: dict[str, Any],
    *,
    global_count: int = 2,
    local_count: int = 4,
    global_share: float = 0.8,
    local_share: float = 0.3,
    edge_drop: float | None = None,
    feature_mask: float | None = None,
) -> GraphViews:
    """A few large regions of each graph and several small ones.

    Args:
        spec: what the graphs are like.
        global_count: number of large regions, which come first.
        local_count: number of small ones.
        global_share: share of the nodes in a large region.
        local_share: share of the nodes in a small one.
        edge_drop: share of the edges left out; when None 0.4 for nodes and 0.1 for graphs.
        feature_mask: share of the feature columns set to zero, or of the nodes whose category is hidden; when
            None 0.4 for nodes and 0.2 for graphs.
    """
    large = Augment(**_strengths(spec, edge_drop, feature_mask, global_share))
    small = Augment(**_strengths(spec, edge_drop, feature_mask, local_share))
    return GraphViews([(large, global_count), (small, local_count)])


def plain_view(spec: dict[str, Any]) -> GraphViews:
    """Each graph as it is (its coordinates with random signs), for masked methods.

    Args:
        spec: what the graphs are like.

    Raises:
        InputError: for the nodes of one graph.
    """
    if spec["level"] == "nodes":
        raise InputError(
            "the nodes of one graph cannot give tokens: each sample is a single node, with nothing in it to hide; "
            "take a method of two views, such as simclr"
        )
    return GraphViews([(Augment(), 1)])
