import json
from types import SimpleNamespace

import networkx
import numpy as np
import pytest
import torch

from anyview import data
from anyview.data.batch import payload_cat, payload_shape
from anyview.data.graph.clean import pack, tidy
from anyview.data.graph.packed import Graphs, Nodes, SparseRows
from anyview.data.graph.places import AXES, RETURNS, SPREAD, places
from anyview.errors import InputError


def drawn(sizes: list[int], seed: int = 0, share: float = 0.3) -> Graphs:
    """Random graphs with features at random, some sparse."""
    g = torch.Generator().manual_seed(seed)
    edges, before = [], 0
    for n in sizes:
        edges.append((torch.rand(n, n, generator=g) < share).nonzero().T + before)
        before += n
    x = torch.rand(before, 7, generator=g) * (torch.rand(before, 7, generator=g) < 0.3)
    return pack(x, torch.cat(edges, 1), torch.tensor(sizes))


def dense(graphs: Graphs) -> torch.Tensor:
    a = torch.zeros(graphs.count, graphs.count)
    a[graphs.edge_index[0], graphs.edge_index[1]] = 1
    return a


def test_tidied_edges_go_both_ways_once_without_loops() -> None:
    g = torch.Generator().manual_seed(0)
    for _ in range(20):
        edges = torch.randint(0, 6, (2, 15), generator=g)
        tidied, label = tidy(edges, 6, torch.arange(15)[:, None])
        wanted = {(a, b) for x, y in edges.T.tolist() if x != y for a, b in ((x, y), (y, x))}
        assert {tuple(e) for e in tidied.T.tolist()} == wanted
        assert tidied.shape[1] == len(wanted) == len(label)
        assert (tidied[1].diff() >= 0).all()
        for (a, b), k in zip(tidied.T.tolist(), label[:, 0].tolist()):
            assert {a, b} == set(edges[:, k].tolist())


def test_picking_graphs_keeps_each_as_it_was() -> None:
    sizes = [3, 1, 6, 4, 2]
    graphs = drawn(sizes)
    blocks = [dense(graphs[i : i + 1]) for i in range(5)]
    starts = np.cumsum([0, *sizes])
    for i, block in enumerate(blocks):
        assert torch.equal(block, dense(graphs)[starts[i] : starts[i + 1], starts[i] : starts[i + 1]])
    picked = graphs[torch.tensor([4, 0, 0, 2])]
    assert picked.nodes.tolist() == [2, 3, 3, 6]
    assert torch.equal(dense(picked), torch.block_diag(*(blocks[i] for i in (4, 0, 0, 2))))
    assert (picked.edge_index[1].diff() >= 0).all()
    joined = payload_cat([graphs[:2], graphs[torch.tensor([False, False, True, True, True])]])
    assert torch.equal(dense(joined), dense(graphs))
    assert torch.equal(joined.x, graphs.x)
    assert torch.equal(joined.edges, graphs.edges)


def test_induced_subgraphs_are_those_of_the_matrix() -> None:
    graphs = drawn([5, 8, 3])
    kept = torch.rand(16, generator=torch.Generator().manual_seed(1)) < 0.6
    part = graphs.induced(kept)
    assert torch.equal(dense(part), dense(graphs)[kept][:, kept])
    assert part.nodes.sum() == kept.sum()
    assert part.edges.sum() == part.edge_index.shape[1]
    assert torch.equal(part.x, graphs.x[kept])


def test_sparse_rows_are_the_matrix() -> None:
    matrix = drawn([20]).x
    rows = SparseRows.of(matrix)
    index = torch.tensor([3, 3, 0, 19])
    assert torch.equal(rows.dense(), matrix)
    assert torch.equal(rows[index].dense(), matrix[index])
    assert torch.equal(SparseRows.cat([rows[:4], rows[4:]]).dense(), matrix)
    assert rows.to(torch.float64).value.dtype == torch.float64


def test_nodes_of_two_graphs_are_of_two_kinds() -> None:
    one, other = drawn([9]), drawn([9])
    a, b = Nodes(one, torch.arange(9)), Nodes(other, torch.arange(9))
    assert payload_shape(a) == payload_shape(a[2:5]) != payload_shape(b)
    assert payload_cat([a[:2], a[5:]]).index.tolist() == [0, 1, 5, 6, 7, 8]
    moved = a[:3].to(torch.float64)
    assert moved.graph.x.dtype == torch.float64
    assert a[4:].to(torch.float64).graph is moved.graph  # copied once


def test_a_dtype_changes_fractions_only() -> None:
    graphs = drawn([4, 5]).to(torch.float64)
    assert graphs.x.dtype == torch.float64
    assert graphs.edge_index.dtype == graphs.nodes.dtype == torch.int64


def test_places_are_those_of_the_definition() -> None:
    graphs = drawn([9, 2, 1, 14, 6], share=0.2)
    found = places(graphs)
    assert found.shape == (32, AXES + len(RETURNS))
    start = 0
    for i, n in enumerate(graphs.nodes.tolist()):
        a = dense(graphs[i : i + 1]).double()
        degree = a.sum(1).clamp_min(1)
        normalised = a / (degree[:, None] * degree).sqrt()
        part = found[start : start + n].double()
        for k, step in enumerate(RETURNS):
            back = torch.linalg.matrix_power(a / degree[:, None], step).diagonal()
            torch.testing.assert_close(
                part[:, AXES + k], back if n > 1 else torch.zeros(1).double(), atol=1e-6, rtol=0
            )
        for k in range(min(AXES, n - 1)):  # eigenvectors, of the size asked for
            u = part[:, k]
            value = u @ normalised @ u / (u @ u)
            torch.testing.assert_close(normalised @ u, value * u, atol=1e-5, rtol=0)
            torch.testing.assert_close(u.square().mean(), torch.tensor(SPREAD**2).double(), atol=1e-5, rtol=0)
        start += n
    assert (found[9:11, 1:AXES] == 0).all()  # two nodes have one coordinate


# ---- reading


def test_cora(shared_data) -> None:
    cora = data.open(f"{shared_data}/planetoid_cora")
    assert cora.modality == "graph"
    assert {name: len(s) for name, s in cora.splits.items()} == {
        "train": 140,
        "validation": 500,
        "test": 1000,
    }
    assert len(cora.pretraining) == 2708
    held = np.load(f"{shared_data}/planetoid_cora/graph.npz")
    batch = cora.split("test").fetch(torch.tensor([0, 7]))
    place = np.flatnonzero(held["test_mask"])[[0, 7]]
    assert batch.x.index.tolist() == place.tolist()
    assert batch.label.tolist() == held["y"][place].tolist()
    rows = torch.as_tensor(held["x"])
    torch.testing.assert_close(batch.x.graph.x.dense(), rows / rows.sum(1, keepdim=True))
    assert batch.x.graph.edge_index.shape[1] == held["edge_index"].shape[1]
    assert list(data.open("planetoid_cora", split="test").splits) == ["test"]


def test_unknown_classes_stay_unknown(shared_data) -> None:
    whole = data.open(f"{shared_data}/planetoid_citeseer").pretraining
    assert (whole.label == -1).sum() == 15


def test_graphs_by_fold(shared_data) -> None:
    mutag = data.open(f"{shared_data}/tu_mutag")
    held = np.load(f"{shared_data}/tu_mutag/graphs.npz")
    assert {n: len(s) for n, s in mutag.splits.items()} == {"train": 152, "validation": 18, "test": 18}
    first = np.flatnonzero(held["fold"] == 9)[0]
    graph = mutag.split("test").fetch(torch.tensor([0]))
    nodes = slice(*held["graph_ptr"][first : first + 2])
    values = mutag.spec["values"]
    assert [values[i - 1] for i in graph.x.x[:, 0].tolist()] == held["node_label"][nodes].tolist()
    assert graph.label.item() == held["y"][first]


def item(x=None, edges=((0, 1), (1, 2)), y: int = 0, count: int = 3) -> SimpleNamespace:
    x = torch.eye(3)[torch.arange(count) % 3] if x is None else x
    return SimpleNamespace(
        x=x, edge_index=torch.tensor(edges, dtype=torch.int64).view(-1, 2).T, y=torch.tensor([y])
    )


def test_broken_graphs_are_listed_and_left_out() -> None:
    nan = torch.full((3, 3), torch.nan)
    bad = [item(edges=((0, 9),)), item(x=nan), item(x=torch.zeros(0, 3), edges=())]
    opened = data.open([item(), bad[0], item(y=1), bad[1], bad[2], item(edges=(), y=1)])
    assert len(opened.train) == 3
    assert opened.train.label.tolist() == [0, 1, 1]
    assert [s.path for s in opened.skipped] == ["train[1]", "train[3]", "train[4]"]
    assert "nodes that do not exist" in opened.skipped[0].reason
    assert "NaN" in opened.skipped[1].reason
    assert "no nodes" in opened.skipped[2].reason
    assert opened.train.fetch(torch.tensor([2])).x.edges.tolist() == [0]  # without edges is kept
    with pytest.raises(InputError, match="no graph that could be read"):
        data.open(bad)


def test_broken_graphs_of_an_archive(tmp_path) -> None:
    edges = np.array([[0, 1, 2, 5, 7], [1, 0, 3, 6, 40]])  # 2 - 3 leaves its graph, 40 is nowhere
    np.savez(
        tmp_path / "g.npz",
        edge_index=edges,
        graph_ptr=np.array([0, 2, 3, 5, 7, 8]),
        y=np.array([0, 1, 0, 1, 0]),
    )
    opened = data.open(tmp_path / "g.npz")
    assert [s.path.split()[-1] for s in opened.skipped] == ["1", "4"]
    assert opened.train.label.tolist() == [0, 0, 1]
    assert opened.train.fetch(torch.arange(3)).x.nodes.tolist() == [2, 2, 2]


def test_one_broken_graph_says_what_is_wrong(tmp_path) -> None:
    x = np.ones((3, 2), np.float32)
    np.savez(tmp_path / "a.npz", edge_index=np.array([[0, 5], [1, 1]]), x=x)
    with pytest.raises(InputError, match=r"1 of its edges go to nodes that do not exist \(first: 5 - 1"):
        data.open(tmp_path / "a.npz")
    x[1, 0] = np.nan
    np.savez(tmp_path / "b.npz", edge_index=np.array([[0], [1]]), x=x)
    with pytest.raises(InputError, match="node 1 are not finite"):
        data.open(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", edge_index=np.array([0, 1, 2]), x=np.ones((3, 2)))
    with pytest.raises(InputError, match="shape"):
        data.open(tmp_path / "c.npz")


def test_self_loops_and_lone_nodes(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", edge_index=np.array([[0, 1, 2], [1, 1, 2]]), x=np.random.rand(4, 3))
    opened = data.open(tmp_path / "a.npz")
    assert any("2 self-loops left out" in note for note in opened.notes)
    assert any("2 nodes without edges" in note for note in opened.notes)
    graph = opened.train.fetch(torch.arange(4)).x.graph
    assert graph.edge_index.T.tolist() == [[1, 0], [0, 1]]


def test_edges_and_nodes_as_tables(tmp_path) -> None:
    (tmp_path / "nodes.csv").write_text(
        "id,age,height,label,split\na,1,2.5,x,train\nb,2,1,y,train\nc,4,0,x,test\n"
    )
    (tmp_path / "edges.csv").write_text("from,to\na,b\nc,b\n")
    opened = data.open(tmp_path)
    assert opened.modality == "graph"
    assert {n: len(s) for n, s in opened.splits.items()} == {"train": 2, "test": 1}
    assert opened.label_names == ["x", "y"]
    graph = opened.pretraining.fetch(torch.arange(3)).x.graph
    assert graph.x.shape == (3, 2)
    assert sorted(graph.edge_index.T.tolist()) == [[0, 1], [1, 0], [1, 2], [2, 1]]
    (tmp_path / "edges.csv").write_text("from,to\na,b\nc,z\n")
    with pytest.raises(InputError, match="edges to nodes that"):
        data.open(tmp_path)


def test_one_object_is_read_by_its_nodes() -> None:
    graph = networkx.karate_club_graph()
    edges = torch.tensor(list(graph.edges)).T
    club = torch.tensor([graph.nodes[n]["club"] == "Officer" for n in graph])
    held = SimpleNamespace(
        edge_index=edges, x=None, y=club.long(), num_nodes=34, train_mask=torch.arange(34) < 20
    )

    class Data:  # has a length and items, as PyG's has
        def __getattr__(self, name):
            return getattr(held, name, None)

        def __len__(self) -> int:
            return 3

        def __getitem__(self, key):
            return getattr(held, key)

    opened = data.open(Data())
    assert opened.spec["level"] == "nodes"
    assert opened.spec["features"] == "degree"
    assert len(opened.train) == 20
    assert len(opened.pretraining) == 34
    degree = opened.pretraining.fetch(torch.arange(34)).x.graph.x[:, 0] - 1
    assert degree.tolist() == [d for _, d in graph.degree()]


def test_like_reads_other_graphs_the_same_way() -> None:
    first = data.open([item(y=i % 2) for i in range(4)])
    spec = json.loads(json.dumps(first.spec))
    again = data.open([item()], like=spec)
    assert torch.equal(again.train.fetch(torch.tensor([0])).x.x, first.train.fetch(torch.tensor([0])).x.x)
    other = item(x=torch.eye(5)[torch.tensor([0, 4, 4])])  # labels that were not there
    assert data.open([other], like=spec).train.fetch(torch.tensor([0])).x.x[:, 0].tolist() == [1, 0, 0]
    wide = [item(x=torch.rand(3, 5))]
    dense_spec = data.open(wide).spec
    with pytest.raises(InputError, match="trained on 5"):
        data.open([item(x=torch.rand(3, 4))], like=dense_spec)
    with pytest.raises(InputError, match="labels of nodes"):
        data.open(wide, like=spec)


def test_dense_features_are_standardised_by_train() -> None:
    g = torch.Generator().manual_seed(0)
    graphs = [item(x=torch.rand(3, 2, generator=g) * 5 + 3) for _ in range(8)]
    opened = data.open({"train": graphs[:6], "test": graphs[6:]})
    x = opened.train.fetch(torch.arange(6)).x.x
    torch.testing.assert_close(x.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(x.std(0, correction=0), torch.ones(2), atol=1e-4, rtol=0)
    assert len(opened.split("test")) == 2


def test_pyg_objects_are_read() -> None:
    pyg = pytest.importorskip("torch_geometric.data")
    graphs = [
        pyg.Data(x=torch.rand(4, 3), edge_index=torch.tensor([[0, 1], [1, 2]]), y=torch.tensor([k]))
        for k in (0, 1)
    ]
    opened = data.open(graphs)
    assert opened.modality == "graph"
    assert opened.train.label.tolist() == [0, 1]
    graphs[0].y = torch.tensor([0, 1, 1, -1])
    one = data.open(graphs[0])
    assert one.spec["level"] == "nodes"
    assert one.train.label.tolist() == [0, 1, 1, -1]
