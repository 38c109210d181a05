"""What is done to packed graphs: edges dropped, features hidden, regions kept, influence spread."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from anyview.data.graph.packed import Graphs, SparseRows

COLUMNS = 512  #: nodes whose influence is computed at a time
GROWTH = 8  #: steps in which a region grows


def drop_edges(graphs: Graphs, rate: float) -> Graphs:
    """Without a random share of the undirected edges, both ways of each."""
    if not rate:
        return graphs
    number, count = graphs.pairs
    return graphs.with_edges((torch.rand(count, device=graphs.device) >= rate)[number])


def hide_features(graphs: Graphs, rate: float) -> Graphs:
    """Random columns of the features set to zero, in each graph others (GRACE, arXiv:2006.04131, section
    3.2.1); categories of random nodes hidden (GraphCL's attribute masking, arXiv:2010.13902, table 1)."""
    if not rate:
        return graphs
    x = graphs.x
    if isinstance(x, SparseRows):
        shown = torch.rand(len(graphs), x.width, device=graphs.device) >= rate
        value = x.value * shown[graphs.graph_of[x.row], x.column]
        return graphs.with_x(SparseRows(x.column, value, x.length, x.width))
    if x.is_floating_point():
        shown = torch.rand(len(graphs), x.shape[1], device=graphs.device) >= rate
        return graphs.with_x(x * shown[graphs.graph_of])
    shown = torch.rand(len(x), 1, device=graphs.device) >= rate
    return graphs.with_x(x * shown)


def region(graphs: Graphs, share: float | Float[Tensor, "graphs"]) -> Bool[Tensor, "nodes"]:
    """Which nodes lie in a region around one random node of each graph, of ``ceil(share * nodes)`` nodes.

    Where a random walker from there comes is the order in which nodes join, with some noise, so that regions
    are connected for the most part and differ. Nodes out of its reach join last, at random.
    """
    draw = torch.rand(graphs.count, device=graphs.device)
    centre = rank(graphs, draw) == 0
    reached = centre.double()
    for _ in range(GROWTH):
        reached = reached + spread(graphs, (reached / graphs.degree.clamp_min(1))[:, None])[:, 0]
    noise = -(-torch.rand(graphs.count, device=graphs.device).clamp(1e-6, 1 - 1e-6).log()).log()
    score = reached.clamp_min(1e-30).log() + noise
    score = torch.where(centre, math.inf, score)
    wanted = (graphs.nodes * share).ceil().clamp_min(1)
    return rank(graphs, -score) < wanted[graphs.graph_of]


def rank(graphs: Graphs, score: Float[Tensor, "nodes"]) -> Int[Tensor, "nodes"]:
    """The place of each node when the nodes of its graph are sorted by score, the smallest first."""
    order = score.argsort()
    order = order[graphs.graph_of[order].argsort(stable=True)]
    starts = graphs.nodes.cumsum(0) - graphs.nodes
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device) - starts[graphs.graph_of[order]]
    return place


def spread(graphs: Graphs, h: Float[Tensor, "nodes width"], weight: Tensor | None = None) -> Tensor:
    """For each node the sum over edges that end there of ``weight`` times what is at their source."""
    offsets = graphs.degree.cumsum(0) - graphs.degree
    each = None if weight is None else weight.to(h.dtype)
    return F.embedding_bag(graphs.edge_index[0], h, offsets, mode="sum", per_sample_weights=each)


def diffuse(
    graphs: Graphs, kind: str, *, restart: float = 0.15, time: float = 5.0, neighbours: int = 32
) -> Graphs:
    r"""The same nodes, joined by how much they influence each other (MVGRL, arXiv:2006.05582, section 3.1).

    With ``T = D^-1/2 A D^-1/2``, personalised PageRank is ``sum_k restart (1 - restart)^k T^k`` and the heat
    kernel ``sum_k exp(-time) time^k / k! T^k``. The ``neighbours`` strongest edges of every node are kept,
    weighted by the influence. Nothing dense of all nodes by all nodes is built.
    """
    norm = graphs.degree.clamp_min(1).double().rsqrt()
    weight = norm[graphs.edge_index[0]] * norm[graphs.edge_index[1]]
    steps = 30 if kind == "ppr" else int(time + 6 * math.sqrt(time) + 6)
    if kind == "ppr":
        share = [restart * (1 - restart) ** k for k in range(steps)]
    else:
        share = [math.exp(-time + k * math.log(time) - math.lgamma(k + 1)) for k in range(steps)]
    starts = graphs.nodes.cumsum(0) - graphs.nodes
    within = torch.arange(graphs.count, device=graphs.device) - starts[graphs.graph_of]
    best = graphs.degree.new_zeros(graphs.count, 0), norm.new_zeros(graphs.count, 0)
    for first in range(0, int(graphs.nodes.max()), COLUMNS):
        # column j starts at the j-th node of every graph at once: graphs do not mix
        width = min(COLUMNS, int(graphs.nodes.max()) - first)
        columns = torch.arange(first, first + width, device=graphs.device)
        walk = (within[:, None] == columns).double()
        total = share[0] * walk
        for k in range(1, steps):
            walk = spread(graphs, walk, weight)
            total += share[k] * walk
        where = torch.cat([best[0], columns.expand(graphs.count, -1)], 1)
        value = torch.cat([best[1], total], 1)
        top, place = value.topk(min(neighbours + 1, value.shape[1]), dim=1)
        best = where.gather(1, place), top
    own = best[0] == within[:, None]
    strong = (best[1] > 1e-4) & ~own
    target, slot = strong.nonzero(as_tuple=True)
    source = best[0][target, slot] + starts[graphs.graph_of[target]]
    order = (target * graphs.count + source).argsort()
    source, target = source[order], target[order]
    edges = torch.bincount(graphs.graph_of[target], minlength=len(graphs))
    return Graphs(
        graphs.x,
        torch.stack([source, target]),
        graphs.nodes,
        edges,
        None,
        best[1][strong][order].float(),
        graphs.place,
    )


def flip_places(graphs: Graphs, axes: int) -> Graphs:
    """Laplacian coordinates with random signs, which mean nothing (Dwivedi et al., arXiv:2003.00982)."""
    if graphs.place is None:
        return graphs
    sign = 1.0 - 2.0 * (torch.rand(len(graphs), axes, device=graphs.device) < 0.5)
    place = graphs.place.clone()
    place[:, :axes] *= sign[graphs.graph_of]
    return graphs.with_x(graphs.x, place)
