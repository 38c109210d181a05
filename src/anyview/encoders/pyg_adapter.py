"""Any of torch_geometric's basic models (GCN, GraphSAGE, GIN, GAT, EdgeCNN ...) as an encoder."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from anyview.data.batch import Payload
from anyview.data.graph.packed import Graphs, Nodes, SparseRows
from anyview.encoders.base import Encoder
from anyview.encoders.graph_net import READOUTS, graphs_in, read_out
from anyview.errors import InputError, unknown


class PyGEncoder(Encoder):
    """A model of ``torch_geometric.nn.models`` by name, fresh; labels of edges are not read.

    Args:
        model: class name, such as ``GAT``.
        size: features of a node, or its number of categories.
        features: kind of the features; see ``feature_spec``. Categories are one-hot sums.
        width, layers: its hidden channels and number of layers.
        readout: ``mean`` or ``sum`` over the nodes of a graph.

    Raises:
        InputError: when torch_geometric is not installed, or has no such model.
    """

    depth = 0

    def __init__(self, model: str, size: int, features: str, width: int, layers: int, readout: str) -> None:
        super().__init__()
        if readout not in READOUTS:
            raise unknown("readout", readout, READOUTS)
        try:
            from torch_geometric.nn import models
            from torch_geometric.nn.models.basic_gnn import BasicGNN
        except ImportError as error:
            raise InputError(
                f'encoder pyg:{model} needs torch_geometric; install it with: pip install "anyview[graph]"'
            ) from error
        known = {
            name: kind
            for name, kind in vars(models).items()
            if isinstance(kind, type)
            and issubclass(kind, BasicGNN)
            and kind is not BasicGNN
            and name != "PNA"
        }
        if model not in known:
            raise unknown("model", model, known, "in torch_geometric.nn.models")
        self.size, self.readout, self.dim = size, readout, width
        self.network: nn.Module = known[model](size, width, layers, out_channels=width)

    def forward(self, x: Payload) -> Float[Tensor, "batch dim"]:
        x = graphs_in(x)
        graphs: Graphs = x.graph if isinstance(x, Nodes) else x
        weighted = {} if graphs.weight is None else {"edge_weight": graphs.weight}
        if weighted and not getattr(self.network, "supports_edge_weight", False):
            raise InputError(f"{type(self.network).__name__} does not read the weights of a diffusion")
        h = self.network(self._dense(graphs.x), graphs.edge_index, **weighted)
        return h[x.index] if isinstance(x, Nodes) else read_out(h, graphs, self.readout)

    def _dense(self, x: Tensor | SparseRows) -> Tensor:
        kind = next(self.network.parameters()).dtype
        if isinstance(x, SparseRows):
            return x.dense().to(kind)
        if x.is_floating_point():
            return x.to(kind)
        one_hot = F.one_hot(x, self.size).sum(1)
        return one_hot.to(torch.get_default_dtype() if kind is None else kind)
