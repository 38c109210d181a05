"""Makes graphs of what people have: edges both ways, once each, in order; what is broken is said."""

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from anyview.data.graph.packed import Graphs, SparseRows


def broken(x: Tensor | None, edge_index: Tensor, nodes: int, label: Tensor | None = None) -> str | None:
    """Why a graph cannot be read, in words; None when it can."""
    if nodes == 0:
        return "it has no nodes"
    if edge_index.ndim != 2 or edge_index.shape[0] != 2:
        return f"edge_index has shape {tuple(edge_index.shape)}, not (2, edges)"
    if edge_index.is_floating_point() or edge_index.is_complex() or edge_index.dtype == torch.bool:
        return f"edge_index holds {str(edge_index.dtype).removeprefix('torch.')}, not whole numbers"
    outside = ((edge_index < 0) | (edge_index >= nodes)).any(0)
    if outside.any():
        source, target = edge_index[:, outside][:, 0].tolist()
        return (
            f"{int(outside.sum())} of its edges go to nodes that do not exist "
            f"(first: {source} - {target}; its nodes are 0 to {nodes - 1})"
        )
    if x is not None and x.ndim != 2:
        return f"features have shape {tuple(x.shape)}, not (nodes, features)"
    for what, values in (("features", x), ("labels", label)):
        if values is not None and len(values) != nodes:
            return f"it has {nodes:,} nodes and {what} of {len(values):,}"
    if x is not None and x.is_floating_point() and not x.isfinite().all():
        row = int((~x.flatten(1).isfinite().all(1)).nonzero()[0])
        return f"the features of node {row} are not finite (NaN or infinite)"
    return None


def tidy(
    edge_index: Int[Tensor, "2 edges"], nodes: int, edge_label: Shaped[Tensor, "edges columns"] | None = None
) -> tuple[Int[Tensor, "2 tidied"], Shaped[Tensor, "tidied columns"] | None]:
    """Both ways of every edge, once each, by target and then source; no self-loops (layers add their own).

    Of parallel edges the first keeps its label.
    """
    proper = edge_index[0] != edge_index[1]
    both = torch.cat([edge_index[:, proper], edge_index[:, proper].flip(0)], 1)
    key = both[1] * nodes + both[0]
    order = key.argsort(stable=True)
    key = key[order]
    first = torch.ones_like(key, dtype=torch.bool)
    first[1:] = key[1:] != key[:-1]
    kept = order[first]
    if edge_label is not None:
        edge_label = torch.cat([edge_label[proper], edge_label[proper]])[kept]
    return both[:, kept], edge_label


def pack(
    x: Tensor | SparseRows,
    edge_index: Tensor,
    nodes: Int[Tensor, "graphs"],
    edge_label: Tensor | None = None,
) -> Graphs:
    """Graphs from edges that number the nodes of all, in any order."""
    tidied, label = tidy(edge_index, len(x), edge_label)
    graph_of = torch.arange(len(nodes)).repeat_interleave(nodes)
    return Graphs(x, tidied, nodes, torch.bincount(graph_of[tidied[1]], minlength=len(nodes)), label)
