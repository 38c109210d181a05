"""Graphs as sets of nodes: a token a node, told apart by Laplacian coordinates."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.data.batch import Payload, Ragged
from anyview.data.graph.packed import SparseRows
from anyview.data.graph.places import AXES, RETURNS
from anyview.encoders.base import Targets, Tokenizer, Tokens
from anyview.encoders.graph_net import _packed, layout, project
from anyview.errors import InputError


class NodeTokenizer(Tokenizer):
    """Every node of a graph is a token: its features, its degree and how soon random walks come back to it.

    Nothing of its neighbours' features is in it, so that a hidden node stays hidden. Coordinates are Laplacian
    (see ``places``): neighbours have similar ones, so that a decoder knows which node it fills, and a block
    mask hides a neighbourhood.

    Args:
        size: features of a node, or its number of categories.
        categorical: whether they are categories; of several columns the first is rebuilt.
        dim: width of a token.
    """

    modality = "graph"
    mask_ratio = 0.5
    axes = AXES
    grid = (1,) * AXES  # coordinates are no cells: learned positions cannot be

    @classmethod
    def of(cls, input: dict[str, Any], dim: int, patch: int | None) -> "NodeTokenizer":
        if patch is not None:
            raise InputError("a token of a graph is a node; leave patch out")
        return cls(input["size"], input["features"] in ("categories", "degree"), dim)

    def __init__(self, size: int, categorical: bool, dim: int) -> None:
        super().__init__()
        self.dim, self.target_size = dim, size
        self.target_kind = "categorical" if categorical else "continuous"
        self.weight = nn.Parameter(torch.empty(size, dim))
        nn.init.normal_(self.weight, std=1.0 if categorical else size**-0.5)
        self.surroundings = nn.Linear(len(RETURNS) + 1, dim)

    def layout(self, x: Payload) -> tuple[Float[Tensor, "batch tokens axes"], Bool[Tensor, "batch tokens"]]:
        return layout(_packed(x))

    def embed(self, x: Payload) -> Tokens:
        graphs = _packed(x)
        assert graphs.place is not None
        own = torch.cat([graphs.place[:, AXES:], graphs.degree[:, None].to(graphs.place.dtype).log1p()], 1)
        values = project(graphs.x, self.weight) + self.surroundings(own.to(self.weight.dtype))
        return Tokens(Ragged(values, graphs.nodes).padded()[0], *layout(graphs))

    def targets(self, x: Payload) -> Targets:
        """The category of every node, or its features."""
        graphs = _packed(x)
        values: Any = graphs.x
        if isinstance(values, SparseRows):
            values = values.dense()
        elif not values.is_floating_point():
            values = values[:, 0]
        return Targets(Ragged(values, graphs.nodes).padded()[0], self.target_kind, self.target_size)
