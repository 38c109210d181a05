"""Payloads of graphs: ``Graphs`` packs many small ones end to end, ``Nodes`` are nodes of one of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from anyview.data.batch import Ragged, payload_cat


@dataclass(frozen=True, eq=False)
class SparseRows:
    """A matrix of which only the entries that are not zero are held, row by row, as of bags of words.

    ``column`` and ``value`` are ``(entries,)``, ``length`` the entries of each row, ``width`` the columns.
    """

    column: Int[Tensor, "entries"]
    value: Float[Tensor, "entries"]
    length: Int[Tensor, "rows"]
    width: int

    @staticmethod
    def of(matrix: Float[Tensor, "rows columns"]) -> "SparseRows":
        row, column = matrix.nonzero(as_tuple=True)
        length = torch.bincount(row, minlength=len(matrix))
        return SparseRows(column, matrix[row, column], length, matrix.shape[1])

    @property
    def starts(self) -> Int[Tensor, "rows"]:
        return self.length.cumsum(0) - self.length

    @property
    def row(self) -> Int[Tensor, "entries"]:
        """The row of each entry."""
        return torch.arange(len(self), device=self.length.device).repeat_interleave(self.length)

    def dense(self) -> Float[Tensor, "rows columns"]:
        out = self.value.new_zeros(len(self), self.width)
        return out.index_put_((self.row, self.column), self.value, accumulate=True)

    def __len__(self) -> int:
        return len(self.length)

    def __getitem__(self, index: Tensor | slice) -> "SparseRows":
        kept = Ragged(torch.arange(len(self.column), device=self.column.device), self.length)[index]
        return SparseRows(self.column[kept.values], self.value[kept.values], kept.length, self.width)

    def to(self, *args: Any, **kwargs: Any) -> "SparseRows":
        device, _, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)
        column, length = (t.to(device, non_blocking=non_blocking) for t in (self.column, self.length))
        return SparseRows(column, self.value.to(*args, **kwargs), length, self.width)

    def pin_memory(self) -> "SparseRows":
        return SparseRows(
            self.column.pin_memory(), self.value.pin_memory(), self.length.pin_memory(), self.width
        )

    @staticmethod
    def cat(parts: "Sequence[SparseRows]") -> "SparseRows":
        column, value, length = (
            torch.cat([getattr(p, name) for p in parts]) for name in ("column", "value", "length")
        )
        return SparseRows(column, value, length, parts[0].width)

    def kind(self) -> tuple[Any, ...]:
        return ("sparse", self.width)


@dataclass(frozen=True, eq=False)
class Graphs:
    """Graphs packed end to end: nodes of all, edges of all, and how many of each a graph has.

    Edges lie in order of their target, both ways of an undirected one are there, and they number the nodes of
    the whole pack.

    Attributes:
        x: features of the nodes: ``(nodes, features)`` fractions, ``(nodes, columns)`` int64 categories (all
            columns in one numbering, 0 is hidden or unknown), or ``SparseRows``.
        edge_index: ``(2, edges)``, source and target.
        nodes: ``(graphs,)``, how many nodes each has.
        edges: ``(graphs,)``, how many edges each has.
        edge_label: ``(edges, columns)`` int64 categories of edges in one numbering, or None.
        weight: ``(edges,)``, as of a diffusion; None is 1.
        place: ``(nodes, values)``, where in its graph a node is (see ``places``), or None.
    """

    x: Tensor | SparseRows
    edge_index: Int[Tensor, "2 edges"]
    nodes: Int[Tensor, "graphs"]
    edges: Int[Tensor, "graphs"]
    edge_label: Int[Tensor, "edges columns"] | None = None
    weight: Float[Tensor, "edges"] | None = None
    place: Float[Tensor, "nodes values"] | None = None
    _moved: dict[Any, "Graphs"] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def device(self) -> torch.device:
        return self.nodes.device

    @property
    def count(self) -> int:
        """Nodes of all graphs."""
        return len(self.x)

    @cached_property
    def graph_of(self) -> Int[Tensor, "nodes"]:
        """The graph that each node is of."""
        return torch.arange(len(self), device=self.device).repeat_interleave(
            self.nodes, output_size=self.count
        )

    @cached_property
    def degree(self) -> Int[Tensor, "nodes"]:
        """Edges that end at each node."""
        return torch.bincount(self.edge_index[1], minlength=self.count)

    @cached_property
    def pairs(self) -> tuple[Int[Tensor, "edges"], int]:
        """The number of the undirected edge that each edge is one way of, and how many of these there are."""
        low, high = self.edge_index.amin(0), self.edge_index.amax(0)
        unique, number = torch.unique(low * self.count + high, return_inverse=True)
        return number, len(unique)

    def with_edges(self, kept: Bool[Tensor, "edges"]) -> "Graphs":
        """The same nodes with some of the edges."""
        counts = torch.bincount(self.graph_of[self.edge_index[1][kept]], minlength=len(self))
        return self._other(
            edge_index=self.edge_index[:, kept],
            edges=counts,
            edge_label=None if self.edge_label is None else self.edge_label[kept],
            weight=None if self.weight is None else self.weight[kept],
        )

    def induced(self, kept: Bool[Tensor, "nodes"]) -> "Graphs":
        """Some of the nodes, with the edges between them."""
        inside = self.with_edges(kept[self.edge_index[0]] & kept[self.edge_index[1]])
        number = kept.cumsum(0) - 1
        return inside._other(
            x=self.x[kept],
            edge_index=number[inside.edge_index],
            nodes=torch.bincount(self.graph_of[kept], minlength=len(self)),
            place=None if self.place is None else self.place[kept],
        )

    def with_x(self, x: Tensor | SparseRows, place: Tensor | None = None) -> "Graphs":
        """The same graphs with other features (and places, when given) of their nodes."""
        return self._other(x=x, place=self.place if place is None else place)

    def _other(self, **changes: Any) -> "Graphs":
        return replace(self, **changes, _moved={})

    def __getitem__(self, index: Tensor | slice) -> "Graphs":
        if isinstance(index, slice):
            index = torch.arange(len(self), device=self.device)[index]
        if index.dtype == torch.bool:
            index = index.nonzero()[:, 0]
        node = Ragged(torch.arange(self.count, device=self.device), self.nodes)[index].values
        edge = Ragged(torch.arange(self.edge_index.shape[1], device=self.device), self.edges)[index].values
        nodes, edges = self.nodes[index], self.edges[index]
        old, new = (self.nodes.cumsum(0) - self.nodes)[index], nodes.cumsum(0) - nodes
        shift = (new - old).repeat_interleave(edges)
        return Graphs(
            self.x[node],
            self.edge_index[:, edge] + shift,
            nodes,
            edges,
            None if self.edge_label is None else self.edge_label[edge],
            None if self.weight is None else self.weight[edge],
            None if self.place is None else self.place[node],
        )

    def _each(self, f: Any) -> "Graphs":
        names = ("x", "edge_index", "nodes", "edges", "edge_label", "weight", "place")
        leaves = {name: getattr(self, name) for name in names}
        return self._other(**{name: None if leaf is None else f(leaf) for name, leaf in leaves.items()})

    def to(self, *args: Any, **kwargs: Any) -> "Graphs":
        device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)

        def move(leaf: Any) -> Any:
            whole = isinstance(leaf, Tensor) and not leaf.is_floating_point()
            return leaf.to(device, None if whole else dtype, non_blocking)

        return self._each(move)

    def pin_memory(self) -> "Graphs":
        return self._each(lambda leaf: leaf.pin_memory())

    @staticmethod
    def cat(parts: "Sequence[Graphs]") -> "Graphs":
        """All graphs, in order."""
        before, edge_index = 0, []
        for p in parts:
            edge_index.append(p.edge_index + before)
            before += p.count

        def joined(name: str) -> Tensor | None:
            found = [getattr(p, name) for p in parts]
            return None if found[0] is None else torch.cat(found)

        return Graphs(
            payload_cat([p.x for p in parts]),
            torch.cat(edge_index, 1),
            torch.cat([p.nodes for p in parts]),
            torch.cat([p.edges for p in parts]),
            joined("edge_label"),
            joined("weight"),
            joined("place"),
        )

    def kind(self) -> tuple[Any, ...]:
        x = self.x.kind() if isinstance(self.x, SparseRows) else (str(self.x.dtype), self.x.shape[1])
        return ("graphs", x, self.edge_label is None, self.weight is None, self.place is None)


@dataclass(frozen=True, eq=False)
class Nodes:
    """Nodes of one graph as samples: all of the graph is there, and ``index`` says which are meant.

    Nodes of two different graphs (such as two views of one) are of different kinds, so that each graph goes
    through a network by itself.
    """

    graph: Graphs
    index: Int[Tensor, "batch"]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: Tensor | slice) -> "Nodes":
        return Nodes(self.graph, self.index[index])

    def to(self, *args: Any, **kwargs: Any) -> "Nodes":
        """The graph is copied to a device once, not with every batch of its nodes."""
        device, dtype, _, _ = torch._C._nn._parse_to(*args, **kwargs)
        floats = [leaf for leaf in (self.graph.weight, self.graph.place) if leaf is not None]
        floats += [self.graph.x.value if isinstance(self.graph.x, SparseRows) else self.graph.x]
        there = device is None or torch.device(device) == self.graph.device
        if there and all(
            dtype is None or not leaf.is_floating_point() or leaf.dtype == dtype for leaf in floats
        ):
            return Nodes(self.graph, self.index)
        key = (str(device), dtype)
        if key not in self.graph._moved:
            self.graph._moved[key] = self.graph.to(*args, **kwargs)
        return Nodes(self.graph._moved[key], self.index.to(device))

    def pin_memory(self) -> "Nodes":
        return Nodes(self.graph, self.index.pin_memory())

    @staticmethod
    def cat(parts: "Sequence[Nodes]") -> "Nodes":
        return Nodes(parts[0].graph, torch.cat([p.index for p in parts]))

    def kind(self) -> tuple[Any, ...]:
        return ("nodes", id(self.graph))
