import json

import pytest
import torch

from anyview.data.batch import payload_cat
from anyview.data.graph.clean import pack
from anyview.data.graph.packed import Graphs, Nodes, SparseRows
from anyview.data.graph.places import places
from anyview.encoders import registry
from anyview.encoders.base import Encoder
from anyview.encoders.graph_net import neighbours, project, symmetric
from anyview.errors import InputError

KINDS = ("dense", "sparse", "categories")


def drawn(sizes: list[int], kind: str = "dense", bonds: bool = False) -> Graphs:
    g = torch.Generator().manual_seed(len(sizes))
    edges, before = [], 0
    for n in sizes:
        edges.append((torch.rand(n, n, generator=g) < 0.3).nonzero().T + before)
        before += n
    x = torch.rand(before, 6, generator=g) * (torch.rand(before, 6, generator=g) < 0.5)
    x = {"dense": x, "sparse": SparseRows.of(x), "categories": (x * 5).long()[:, :2]}[kind]
    edge_index = torch.cat(edges, 1)
    labels = torch.randint(0, 3, (edge_index.shape[1], 2), generator=g) if bonds else None
    graphs = pack(x, edge_index, torch.tensor(sizes), labels)
    return graphs.with_x(graphs.x, places(graphs))


def built(name: str, kind: str = "dense", edge_size: int = 0, **options) -> Encoder:
    input = {"modality": "graph", "features": kind, "size": 6, "entries": 3, "edge_size": edge_size}
    encoder = registry.build(name, input, **options)
    for module in encoder.modules():  # statistics that are not those of a fresh network
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.uniform_(-0.5, 0.5)
    return encoder.eval()


def one_hot(graphs: Graphs) -> torch.Tensor:
    x = graphs.x
    if isinstance(x, SparseRows):
        return x.dense()
    return x if x.is_floating_point() else torch.nn.functional.one_hot(x, 6).sum(1).float()


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_and_categories_are_the_dense_product(kind: str) -> None:
    graphs = drawn([5, 1, 7], kind)
    weight = torch.randn(6, 4, requires_grad=True)
    g = torch.randn(13, 4)
    (found,) = torch.autograd.grad((project(graphs.x, weight) * g).sum(), weight)
    (wanted,) = torch.autograd.grad((one_hot(graphs) @ weight * g).sum(), weight)
    torch.testing.assert_close(project(graphs.x, weight), one_hot(graphs) @ weight)
    torch.testing.assert_close(found, wanted)


def test_messages_are_the_matrix_product() -> None:
    graphs = drawn([5, 1, 7])
    a = torch.zeros(13, 13)
    a[graphs.edge_index[1], graphs.edge_index[0]] = 1
    h = torch.randn(13, 3)
    torch.testing.assert_close(neighbours(graphs, h), a @ h)
    edge, own = symmetric(graphs)
    looped = a + torch.eye(13)
    scale = looped.sum(1).rsqrt()
    wanted = scale[:, None] * looped * scale @ h
    torch.testing.assert_close(neighbours(graphs, h, edge) + own[:, None] * h, wanted)


@pytest.mark.parametrize("name", ["gcn-s", "sage-s", "gin-s"])
def test_layers_are_those_of_the_papers(name: str) -> None:
    graphs = drawn([6])
    layer = built(name, norm="none").layers[0]
    a = torch.zeros(6, 6)
    a[graphs.edge_index[1], graphs.edge_index[0]] = 1
    looped = a + torch.eye(6)
    scale = looped.sum(1).rsqrt()
    x = graphs.x
    wanted = {
        "gcn-s": lambda: torch.relu(scale[:, None] * looped * scale @ x @ layer.weight),
        "sage-s": lambda: torch.relu(
            x @ layer.own + a @ x / a.sum(1, keepdim=True).clamp_min(1e-6) @ layer.weight
        ),
        "gin-s": lambda: torch.relu(layer.mlp((a + torch.eye(6)) @ x @ layer.weight)),
    }[name]()
    torch.testing.assert_close(layer(x, graphs), wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["gcn-s", "sage-s", "gin-s", "transformer-nano", "pyg:GAT"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_alone_and_in_a_batch_agree(name: str, kind: str) -> None:
    if name.startswith("pyg"):
        pytest.importorskip("torch_geometric")
    graphs = drawn([4, 30, 1, 9], kind)
    encoder = built(name, kind)
    with torch.no_grad():
        together = encoder(graphs)
        alone = torch.cat([encoder(graphs[i : i + 1]) for i in range(4)])
    assert together.shape == (4, encoder.dim)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["gcn-s", "gin-s"])
def test_the_order_of_nodes_says_nothing(name: str) -> None:
    graphs = drawn([8])
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    place = order.argsort()
    other = pack(graphs.x[order], place[graphs.edge_index], torch.tensor([8]))
    encoder = built(name)
    torch.testing.assert_close(encoder(graphs), encoder(other), atol=1e-5, rtol=1e-5)


def test_nodes_are_embedded_in_their_graph() -> None:
    graph = drawn([20], "sparse")
    encoder = built("gcn-s", "sparse")
    whole = encoder(Nodes(graph, torch.arange(20)))
    assert whole.shape == (20, 128)
    torch.testing.assert_close(encoder(Nodes(graph, torch.tensor([7, 3]))), whole[[7, 3]])
    lone = pack(torch.rand(3, 6), torch.zeros(2, 0, dtype=torch.int64), torch.tensor([3]))
    assert built("sage-s")(Nodes(lone, torch.arange(3))).isfinite().all()


def test_labels_of_edges_are_read() -> None:
    graphs = drawn([6, 9], bonds=True)
    encoder = built("gin-s", edge_size=3)
    plain = encoder(graphs)
    other = Graphs(**{**{k: v for k, v in vars(graphs).items() if k in Graphs.__dataclass_fields__},
                      "edge_label": (graphs.edge_label + 1) % 3, "_moved": {}})  # fmt: skip
    assert (encoder(other) - plain).abs().max() > 1e-3
    torch.testing.assert_close(encoder(graphs[1:]), plain[1:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["gcn-s", "gin-m", "transformer-nano", "pyg:GCN"])
def test_a_saved_encoder_is_the_same(name: str, tmp_path) -> None:
    if name.startswith("pyg"):
        pytest.importorskip("torch_geometric")
    encoder, graphs = built(name), drawn([5, 6])
    registry.save(encoder, tmp_path)
    json.loads((tmp_path / "config.json").read_text())
    assert torch.equal(registry.load(tmp_path)[0](graphs), encoder(graphs))


@pytest.mark.parametrize("name", ["gin-s", "transformer-nano"])
def test_hidden_nodes_tell_nothing(name: str) -> None:
    graphs = drawn([6, 9], "categories")
    encoder = built(name, "categories")
    coords, valid = encoder.layout(graphs)
    mask = (torch.rand(valid.shape, generator=torch.Generator().manual_seed(0)) < 0.4) & valid
    other = graphs.with_x(torch.where(mask[valid][:, None], (graphs.x + 1) % 6, graphs.x))
    first, second = (encoder.tokens(g, mask, masked="replace").values[valid] for g in (graphs, other))
    torch.testing.assert_close(first, second)
    assert (encoder.tokens(graphs).values[valid] - first).abs().max() > 1e-3
    assert (coords[valid] > 0).all()


def test_targets_are_the_nodes() -> None:
    for kind in ("categories", "dense"):
        graphs = drawn([6, 9], kind)
        tokenizer = built("transformer-nano", kind).tokenizer
        targets = tokenizer.targets(graphs)
        _, valid = tokenizer.layout(graphs)
        assert targets.kind == {"categories": "categorical", "dense": "continuous"}[kind]
        assert torch.equal(targets.values[valid], graphs.x[:, 0] if kind == "categories" else graphs.x)


def test_messages_cannot_be_dropped_and_nodes_have_no_tokens() -> None:
    graphs = drawn([6])
    encoder = built("gin-s")
    with pytest.raises(InputError, match="cannot drop"):
        encoder.tokens(graphs, encoder.layout(graphs)[1])
    with pytest.raises(InputError, match="no tokens"):
        built("transformer-nano")(Nodes(graphs, torch.arange(3)))


def test_names_that_are_not_there() -> None:
    with pytest.raises(InputError, match="norm"):
        built("gcn-s", norm="group")
    pytest.importorskip("torch_geometric")
    with pytest.raises(InputError, match="GAT"):
        built("pyg:GTA")


def test_two_graphs_in_one_pass_are_the_same_as_two(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [drawn([4, 6]), drawn([3, 9])]
    encoder = built("gin-s")
    torch.testing.assert_close(encoder(payload_cat(parts)), torch.cat([encoder(p) for p in parts]))
