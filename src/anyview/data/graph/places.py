"""Where in its graph a node is: Laplacian coordinates, and how soon random walks come back."""

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.data.graph.packed import Graphs

AXES = 4  #: Laplacian coordinates
RETURNS = (2, 3, 4, 6, 8, 12)  #: steps after which a random walk may be back
SPREAD = 2.0  #: deviation of a coordinate: in steps of tokens, so that sines and cosines can tell nodes apart
MAX_NODES = 1000  #: in a larger graph all nodes are at 0: its eigenvectors would cost too much
ENTRIES = 2**22  #: of the matrices that are held at a time


def places(graphs: Graphs) -> Float[Tensor, "nodes values"]:
    """``AXES`` coordinates of every node, then its return probabilities at ``RETURNS``.

    Coordinates are the eigenvectors of the normalised Laplacian with the smallest eigenvalues above zero
    (Dwivedi et al. 2020, arXiv:2003.00982, section 2), of deviation ``SPREAD``; their signs mean nothing, and a
    graph of few nodes has zeros for those that are missing. Return probabilities are the diagonal of the
    walk's k-th power (Dwivedi et al. 2021, arXiv:2110.07875, section 3): the same for nodes that look alike.
    """
    out = torch.zeros(graphs.count, AXES + len(RETURNS))
    starts = graphs.nodes.cumsum(0) - graphs.nodes
    order = graphs.nodes.argsort()
    order = order[(graphs.nodes[order] > 1) & (graphs.nodes[order] <= MAX_NODES)]
    while len(order):  # from the largest down, as many as fit
        size = int(graphs.nodes[order[-1]])
        taken, order = order[-max(1, ENTRIES // size**2) :], order[: -max(1, ENTRIES // size**2)]
        part = graphs[taken]
        within = torch.arange(part.count) - (part.nodes.cumsum(0) - part.nodes)[part.graph_of]
        values = _places(part, within, size)
        out[starts[taken][part.graph_of] + within] = values[part.graph_of, within].float()
    return out


def _places(part: Graphs, within: Tensor, size: int) -> Float[Tensor, "graphs {size} values"]:
    source, target = part.edge_index
    adjacency = torch.zeros(len(part), size, size, dtype=torch.float64)
    adjacency[part.graph_of[source], within[source], within[target]] = 1.0
    degree = adjacency.sum(2)
    scale = degree.clamp_min(1).rsqrt()
    normalised = scale[:, :, None] * adjacency * scale[:, None, :]
    real = torch.arange(size) < part.nodes[:, None]
    # Padding has eigenvalue -3, below all others, so the largest ones are those of the graph.
    matrix = normalised - 3 * torch.diag_embed((~real).double())
    value, vector = torch.linalg.eigh(matrix)
    # The walk's k-th power and that of the normalised adjacency have one diagonal: sum over λ^k u².
    inside = (value > -2).double()
    back = [vector.square() @ (inside * value**step)[:, :, None] for step in RETURNS]
    axes = min(AXES, size - 1)
    value, vector = (t[..., -axes - 1 : -1].flip(-1) for t in (value, vector))  # the largest is trivial
    vector = vector * (value > -2)[:, None] * part.nodes.double().sqrt()[:, None, None] * SPREAD
    coords = torch.nn.functional.pad(vector, (0, AXES - axes))
    return torch.cat([coords, *back], -1)
