import inspect

import pytest
import torch

from anyview.data.batch import Batch
from anyview.data.graph.clean import pack
from anyview.data.graph.packed import Graphs, Nodes, SparseRows
from anyview.data.graph.places import AXES, places
from anyview.errors import InputError
from anyview.views import graph as views
from anyview.views import graph_ops as ops

SPEC = {"level": "graphs", "features": "dense", "size": 6}


def drawn(sizes: list[int], share: float = 0.3, kind: str = "dense") -> Graphs:
    g = torch.Generator().manual_seed(0)
    edges, before = [], 0
    for n in sizes:
        path = torch.stack([torch.arange(n - 1), torch.arange(1, n)])  # connected
        edges += [(torch.rand(n, n, generator=g) < share).nonzero().T + before, path + before]
        before += n
    x = torch.rand(before, 6, generator=g) + 0.1
    x = {"dense": x, "sparse": SparseRows.of(x), "categories": (x * 4).long()[:, :2] + 1}[kind]
    graphs = pack(x, torch.cat(edges, 1), torch.tensor(sizes))
    return graphs.with_x(graphs.x, places(graphs))


def batch_of(graphs: Graphs) -> Batch:
    return Batch(graphs, torch.arange(len(graphs)))


def dense(graphs: Graphs) -> torch.Tensor:
    a = torch.zeros(graphs.count, graphs.count, dtype=torch.float64)
    a[graphs.edge_index[1], graphs.edge_index[0]] = 1 if graphs.weight is None else graphs.weight.double()
    return a


def test_dropped_edges_go_both_ways_at_the_rate() -> None:
    graphs = drawn([60, 80])
    part = ops.drop_edges(graphs, 0.3)
    a = dense(part)
    assert torch.equal(a, a.T)
    assert (dense(graphs) - a >= 0).all()
    assert abs(part.edges.sum() / graphs.edges.sum() - 0.7) < 0.04
    assert part.edges.tolist() == [int(a[:60].sum()), int(a[60:].sum())]


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_hidden_columns_are_the_graphs_own(kind: str) -> None:
    graphs = drawn([30, 40], kind=kind)
    x = ops.hide_features(graphs, 0.5).x
    x = x.dense() if isinstance(x, SparseRows) else x
    whole = graphs.x.dense() if isinstance(graphs.x, SparseRows) else graphs.x
    hidden = []
    for rows in (slice(0, 30), slice(30, 70)):
        gone = (x[rows] == 0).all(0)
        assert torch.equal(x[rows], whole[rows] * ~gone)
        hidden.append(gone)
    assert not torch.equal(*hidden)


def test_hidden_categories_are_whole_nodes() -> None:
    graphs = drawn([100, 100], kind="categories")
    x = ops.hide_features(graphs, 0.3).x
    gone = (x == 0).all(1)
    assert torch.equal(x[~gone], graphs.x[~gone])
    assert abs(gone.float().mean() - 0.3) < 0.1


def test_a_region_has_its_share_and_hangs_together() -> None:
    sizes = [1, 2, 40, 41]
    graphs = drawn(sizes, share=0.02)
    for _ in range(5):
        kept = ops.region(graphs, 0.5)
        assert torch.bincount(graphs.graph_of[kept]).tolist() == [1, 1, 20, 21]
    # of the nodes in it far more have a neighbour in it than of as many at random
    together = dense(graphs.induced(ops.region(graphs, 0.3))).sum()
    apart = dense(
        graphs.induced(ops.rank(graphs, torch.rand(graphs.count)) < 0.3 * graphs.nodes[graphs.graph_of])
    )
    assert together > 1.5 * apart.sum()


@pytest.mark.parametrize("kind", ["ppr", "heat"])
def test_diffusion_is_that_of_the_formula(kind: str) -> None:
    graphs = drawn([12, 7])
    a = dense(graphs)
    scale = a.sum(1).rsqrt()
    t = scale[:, None] * a * scale
    if kind == "ppr":
        wanted = 0.15 * torch.linalg.inv(torch.eye(19).double() - 0.85 * t)
    else:
        wanted = torch.linalg.matrix_exp(5.0 * t - 5.0 * torch.eye(19))
    found = dense(ops.diffuse(graphs, kind, neighbours=30))
    off = ~torch.eye(19, dtype=torch.bool)
    torch.testing.assert_close(found[off], wanted[off], atol=2e-3, rtol=0)
    few = ops.diffuse(graphs, kind, neighbours=3)
    assert few.degree.max() <= 4
    assert (few.edge_index[1].diff() >= 0).all()
    part = ops.diffuse(graphs[1:], kind, neighbours=30)  # the same alone
    torch.testing.assert_close(dense(part), found[12:, 12:], atol=1e-6, rtol=0)


def test_columns_in_parts_are_all_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = drawn([12, 7])
    whole = dense(ops.diffuse(graphs, "ppr", neighbours=4))
    monkeypatch.setattr(ops, "COLUMNS", 5)
    torch.testing.assert_close(dense(ops.diffuse(graphs, "ppr", neighbours=4)), whole)


def test_two_views_differ_and_are_drawn_per_graph() -> None:
    graphs = drawn([20, 20, 30])
    torch.manual_seed(1)
    first, second = views.two_views(SPEC)(batch_of(graphs))
    assert first.x.nodes.tolist() == second.x.nodes.tolist() == [16, 16, 24]
    assert first.meta["edges"].tolist() == first.x.edges.tolist()
    assert first.x.edge_index.shape != second.x.edge_index.shape or (first.x.x != second.x.x).any()
    torch.manual_seed(1)
    again, _ = views.two_views(SPEC)(batch_of(graphs))
    assert torch.equal(again.x.x, first.x.x)


def test_views_of_nodes_keep_all_of_them() -> None:
    graph = drawn([50])
    batch = Batch(Nodes(graph, torch.tensor([4, 9, 30])), torch.tensor([4, 9, 30]))
    spec = SPEC | {"level": "nodes"}
    first, second = views.two_views(spec, subgraph=0.5)(batch)
    assert first.x.graph.count == 50
    assert first.x.index.tolist() == [4, 9, 30]
    assert first.x.kind() != second.x.kind()
    assert first.meta["region"].shape == (3,)
    split = first[1:]
    assert split.x.graph is first.x.graph  # parts of a batch see one graph: two processes equal one


def test_a_diffusion_of_the_one_graph_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    inner = ops.diffuse
    monkeypatch.setattr(ops, "diffuse", lambda *a, **k: calls.append(1) or inner(*a, **k))
    graph = drawn([30])
    make = views.two_views(SPEC | {"level": "nodes"}, diffusion="ppr")
    for _ in range(3):
        plain, diffused = make(Batch(Nodes(graph, torch.arange(30)), torch.arange(30)))
    assert len(calls) == 1
    assert plain.x.graph.weight is None
    assert diffused.x.graph.weight is not None


def test_multi_crop_has_large_and_small_regions() -> None:
    found = views.multi_crop(SPEC)(batch_of(drawn([20, 40])))
    assert [v.x.nodes.tolist() for v in found] == [[16, 32]] * 2 + [[6, 12]] * 4


def test_a_plain_view_flips_signs_alone() -> None:
    graphs = drawn([20, 30])
    (view,) = views.plain_view(SPEC)(batch_of(graphs))
    assert torch.equal(view.x.x, graphs.x)
    assert torch.equal(view.x.edge_index, graphs.edge_index)
    assert torch.equal(view.x.place.abs(), graphs.place.abs())
    assert torch.equal(view.x.place[:, AXES:], graphs.place[:, AXES:])


def test_values_that_cannot_be() -> None:
    for option in ({"edge_drop": 1.0}, {"feature_mask": -0.1}, {"subgraph": 0.0}, {"diffusion": "pagerank"}):
        with pytest.raises(InputError, match=next(iter(option)).split("_")[0]):
            views.two_views(SPEC, **option)
    with pytest.raises(InputError, match="cannot give tokens"):
        views.plain_view(SPEC | {"level": "nodes"})


def test_every_option_is_described() -> None:
    for factory in (views.two_views, views.multi_view, views.multi_crop, views.plain_view):
        for name in inspect.signature(factory).parameters:
            assert f"{name}:" in factory.__doc__
