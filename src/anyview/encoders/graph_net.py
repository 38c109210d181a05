"""Networks that pass messages along edges: GCN, GraphSAGE and GIN, on packed graphs and nodes of one."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.data.batch import Payload, Ragged
from anyview.data.graph.packed import Graphs, Nodes, SparseRows
from anyview.data.graph.places import AXES
from anyview.encoders.base import Encoder, Tokens, unused
from anyview.errors import InputError, unknown

NORMS = ("batch", "layer", "none")
READOUTS = ("mean", "sum")


def graphs_in(x: Payload) -> Graphs | Nodes:
    """The graph of a payload that may hold more (a molecule has its SMILES too)."""
    return x["graph"] if isinstance(x, dict) else x


def project(x: Tensor | SparseRows, weight: Float[Tensor, "features width"]) -> Float[Tensor, "nodes width"]:
    """``x @ weight``, where categories are one-hot rows and sparse rows are never made dense.

    Of sparse rows only the entries that are there are read. (As one gather and sum; a product with a
    compressed matrix takes as long and knows no half precision.)
    """
    if isinstance(x, SparseRows):
        value = x.value.to(weight.dtype)
        return F.embedding_bag(x.column, weight, x.starts, mode="sum", per_sample_weights=value)
    return x.to(weight.dtype) @ weight if x.is_floating_point() else F.embedding_bag(x, weight, mode="sum")


def neighbours(
    graphs: Graphs, h: Float[Tensor, "nodes width"], weight: Float[Tensor, "edges"] | None = None
) -> Float[Tensor, "nodes width"]:
    """For each node the sum over edges that end there of ``weight`` times what their source has."""
    h = h if h.dtype == torch.float64 else h.float()  # sums of many, and slow in half precision
    offsets = graphs.degree.cumsum(0) - graphs.degree
    each = None if weight is None else weight.to(h.dtype)
    return F.embedding_bag(graphs.edge_index[0], h, offsets, mode="sum", per_sample_weights=each)


def symmetric(graphs: Graphs) -> tuple[Float[Tensor, "edges"], Float[Tensor, "nodes"]]:
    """``D^-1/2 (A + I) D^-1/2`` of Kipf & Welling: its entries at the edges, and at the nodes themselves.

    Computed once a graph, however often it goes through a network.
    """
    known = graphs.__dict__.get("_symmetric")
    if known is None:
        degree = _strength(graphs) + 1
        scale = degree.rsqrt()
        source, target = graphs.edge_index
        edge = scale[source] * scale[target]
        known = (edge if graphs.weight is None else edge * graphs.weight, 1 / degree)
        graphs.__dict__["_symmetric"] = known
    return known


def _strength(graphs: Graphs) -> Float[Tensor, "nodes"]:
    """The weights of the edges that end at each node, in sum."""
    if graphs.weight is None:
        return graphs.degree.float()
    zero = graphs.weight.new_zeros(graphs.count)
    return zero.index_add(0, graphs.edge_index[1], graphs.weight)


class Layer(nn.Module):
    """One round of messages: ``update(linear(x), edges)``; edges with labels add a learned vector each.

    Args:
        kind: ``gcn``: the normalised sum of what neighbours and the node have (Kipf & Welling 2017,
            arXiv:1609.02907, equation 2); ``sage``: the node's own and its neighbours' mean, each through weights
            of their own (Hamilton et al. 2017, arXiv:1706.02216, the mean aggregator); ``gin``: the sum with
            ``1 + ε`` times the node's own, through two layers (Xu et al. 2019, arXiv:1810.00826, equation 4.1).
        inputs: features of a node; of one-hot rows or categories the number of them.
        edge_size: labels that edges have, 0 for none.
    """

    def __init__(self, kind: str, inputs: int, width: int, edge_size: int, norm: str, entries: int) -> None:
        super().__init__()
        self.kind = kind
        self.weight = nn.Parameter(_glorot(inputs, width, entries))
        self.own = nn.Parameter(_glorot(inputs, width, entries)) if kind == "sage" else None
        self.eps = nn.Parameter(torch.zeros(())) if kind == "gin" else None
        self.edge = nn.Parameter(_glorot(edge_size, width, 1)) if edge_size else None
        self.norm = _norm(norm, width)
        self.mlp = (
            nn.Sequential(nn.ReLU(), nn.Linear(width, width), _norm(norm, width)) if kind == "gin" else None
        )
        self.bias = nn.Parameter(torch.zeros(width)) if norm == "none" else None

    def forward(self, x: Tensor | SparseRows, graphs: Graphs) -> Float[Tensor, "nodes width"]:
        h = project(x, self.weight)
        if self.kind == "gcn":
            edge, own = symmetric(graphs)
            y = neighbours(graphs, h, edge) + self._labels(graphs, edge, h) + own[:, None].to(h.dtype) * h
        elif self.kind == "sage":
            total = neighbours(graphs, h, graphs.weight) + self._labels(graphs, graphs.weight, h)
            assert self.own is not None
            y = total / _strength(graphs).clamp_min(1e-6)[:, None].to(total.dtype) + project(x, self.own)
        else:
            assert self.eps is not None
            total = neighbours(graphs, h, graphs.weight) + self._labels(graphs, graphs.weight, h)
            y = total + (1 + self.eps) * h
        y = self.norm(y if self.bias is None else y + self.bias)
        return F.relu(y if self.mlp is None else self.mlp(y))

    def _labels(self, graphs: Graphs, weight: Tensor | None, h: Tensor) -> Tensor | float:
        """What the labels of its edges add to each node."""
        if self.edge is None:
            return 0.0
        if graphs.edge_label is None:
            raise InputError(
                "this encoder reads labels of edges, and a diffusion has none; take diffusion none"
            )
        columns = graphs.edge_label.shape[1]
        offsets = (graphs.degree.cumsum(0) - graphs.degree) * columns
        each = None if weight is None else weight.repeat_interleave(columns).to(self.edge.dtype)
        label = graphs.edge_label.flatten()
        return F.embedding_bag(label, self.edge, offsets, mode="sum", per_sample_weights=each)


class GraphNet(Encoder):
    """Layers of messages; a graph is the mean or sum of its nodes, a node of one graph is its own vector.

    Layers for ``tokens``: 0 is the first layer's output, 1 to ``depth - 1`` the others'. Tokens are nodes.

    Args:
        kind: see ``Layer``.
        size: features of a node, or its number of categories.
        entries: about how many of them are not zero, to scale the first weights by.
        edge_size: labels that edges have, 0 for none.
        width: of every layer.
        layers: rounds of messages: how far a node sees.
        norm: after each layer: ``batch`` over all nodes, ``layer`` or ``none``.
        readout: ``mean`` or ``sum`` over the nodes of a graph.
        join: a vector is what all layers say, side by side (jumping knowledge, arXiv:1806.03536), not the last.
    """

    def __init__(
        self,
        kind: str,
        size: int,
        *,
        entries: int = 1,
        edge_size: int = 0,
        width: int = 128,
        layers: int = 3,
        norm: str = "batch",
        readout: str = "mean",
        join: bool = False,
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise unknown("norm", norm, NORMS)
        if readout not in READOUTS:
            raise unknown("readout", readout, READOUTS)
        self.dim = width * layers if join else width
        self.depth = layers - 1
        self.readout, self.join = readout, join
        self.layers = nn.ModuleList(
            Layer(kind, width if i else size, width, edge_size, norm, width if i else entries)
            for i in range(layers)
        )
        self.mask_node = nn.Parameter(torch.zeros(width))

    def outputs(self, graphs: Graphs, hidden: Bool[Tensor, "nodes"] | None = None) -> list[Tensor]:
        """What each layer says of every node; ``hidden`` ones have no features, and a learned vector is added to
        what the first layer says of them."""
        h = self.layers[0](graphs.x if hidden is None else hide(graphs.x, hidden), graphs)
        if hidden is not None:
            h = torch.where(hidden[:, None], h + self.mask_node.to(h.dtype), h)
        found = [h]
        for layer in list(self.layers)[1:]:
            found.append(layer(found[-1], graphs))
        return found

    def forward(self, x: Payload) -> Float[Tensor, "batch dim"]:
        x = graphs_in(x)
        found = self.outputs(x.graph if isinstance(x, Nodes) else x)
        h = torch.cat(found, 1) if self.join else found[-1]
        h = h[x.index] if isinstance(x, Nodes) else read_out(h, x, self.readout)
        return h + unused(self.mask_node)

    def layout(self, x: Payload) -> tuple[Float[Tensor, "batch tokens axes"], Bool[Tensor, "batch tokens"]]:
        """Laplacian coordinates of the nodes."""
        return layout(_packed(x))

    def tokens(
        self,
        x: Payload,
        mask: Bool[Tensor, "batch tokens"] | None = None,
        masked: Literal["drop", "replace"] = "drop",
        layers: list[int] | None = None,
    ) -> Tokens | list[Tokens]:
        """The nodes of each graph. Hidden ones tell their neighbours nothing of their features.

        Raises:
            InputError: for ``masked="drop"``, which would tear graphs apart.
        """
        if layers is not None:
            self.check_layers(layers)
        graphs = _packed(x)
        coords, valid = layout(graphs)
        if mask is not None and masked == "drop":
            raise InputError(
                'a network of messages cannot drop masked nodes; take transformer-nano, or "replace"'
            )
        found = self.outputs(graphs, None if mask is None else mask[valid])
        zero = unused(self.mask_node)
        outputs = [
            Tokens(Ragged(h + zero, graphs.nodes).padded()[0], coords, valid)
            for h in (found[-1:] if layers is None else [found[i] for i in layers])
        ]
        return outputs[0] if layers is None else outputs


def hide(x: Tensor | SparseRows, hidden: Bool[Tensor, "nodes"]) -> Tensor | SparseRows:
    """Features of hidden nodes become zero, or the category of what is not known."""
    if isinstance(x, SparseRows):
        return SparseRows(x.column, x.value * ~hidden[x.row], x.length, x.width)
    return x * ~hidden[:, None]


def layout(graphs: Graphs) -> tuple[Float[Tensor, "batch tokens axes"], Bool[Tensor, "batch tokens"]]:
    """Laplacian coordinates of the nodes of each graph, moved so that none is below 0, and which are there."""
    assert graphs.place is not None
    coords, valid = Ragged(graphs.place[:, :AXES], graphs.nodes).padded()
    return (coords + CENTRE).clamp_min(0.0) * valid[..., None], valid


CENTRE = 32.0  #: where a coordinate of 0 is put; positions count from 0


def _packed(x: Payload) -> Graphs:
    x = graphs_in(x)
    if isinstance(x, Nodes):
        raise InputError("the nodes of one graph have no tokens: each is a single one")
    return x


def read_out(h: Float[Tensor, "nodes dim"], graphs: Graphs, kind: str) -> Float[Tensor, "graphs dim"]:
    """The mean or sum over the nodes of each graph."""
    h = h if h.dtype == torch.float64 else h.float()
    total = h.new_zeros(len(graphs), h.shape[1]).index_add(0, graphs.graph_of, h)
    return total if kind == "sum" else total / graphs.nodes[:, None].clamp_min(1).to(h.dtype)


def _glorot(inputs: int, outputs: int, entries: int) -> Float[Tensor, "inputs outputs"]:
    """Uniform with the variance ``2 / (entries + outputs)`` (Glorot & Bengio 2010), for inputs of which only so
    many are not zero."""
    bound = (6 / (entries + outputs)) ** 0.5
    return torch.empty(inputs, outputs).uniform_(-bound, bound)


def _norm(kind: str, width: int) -> nn.Module:
    return {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[kind](width) if kind != "none" else nn.Identity()
