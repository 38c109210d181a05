import numpy as np
import pytest
import torch

from anyview import api, data
from anyview.data.graph.clean import pack
from anyview.data.graph.packed import Nodes
from anyview.errors import InputError
from anyview.modalities import modality
from anyview.modalities.graph import histograms, node_features
from anyview.training.health import Health
from anyview.training.plan import make_plan
from anyview.training.step import cached_step, plain_step


@pytest.fixture
def archive(tmp_path):
    """Nodes in four groups: words of their group, edges mostly within it; few have labels to learn from."""
    rng = np.random.default_rng(0)
    n, groups = 160, 4
    y = np.arange(n) % groups
    near = rng.random((n, n)) < np.where(y[:, None] == y, 0.12, 0.01)
    x = (rng.random((n, 60)) < np.where(np.arange(60) % groups == y[:, None], 0.12, 0.04)).astype(np.float32)
    place = rng.permutation(n)
    masks = {m: np.isin(np.arange(n), place[a:b]) for m, a, b in
             (("train_mask", 0, 20), ("val_mask", 20, 60), ("test_mask", 60, 160))}  # fmt: skip
    np.savez(tmp_path / "nodes.npz", edge_index=np.stack(near.nonzero()), x=x, y=y, **masks)
    return tmp_path / "nodes.npz"


def test_nodes_go_the_whole_way(archive, tmp_path) -> None:
    model = api.pretrain("simclr", archive, out=tmp_path / "run", epochs=25, encoder="gcn-s")
    assert (tmp_path / "run" / "health.json").exists()
    again = api.load(tmp_path / "run")
    vectors = again.embed(archive, split="test")
    assert vectors.shape == (100, 128)
    np.testing.assert_array_equal(vectors, model.embed(archive, split="test"))
    (row,) = api.evaluate(again, archive, protocols=["linear"])
    assert row.figures["pretrained"].mean > row.figures["raw"].mean


def test_all_nodes_are_a_batch_and_all_are_pretrained_on(archive) -> None:
    plan = make_plan("byol", archive)
    assert plan.batch_size == len(plan.dataset.pretraining) == 160
    assert plan.steps_per_epoch == 1
    assert len(plan.dataset.train) == 20


def test_health_of_nodes(archive) -> None:
    plan = make_plan("vicreg", archive)
    health = Health.hold(plan.method, plan.dataset.pretraining, plan.device, 0)
    figures = health.measure(plan.method)
    assert {"rank", "rank_z", "alignment"} <= set(figures)


@pytest.mark.parametrize("method", ["simclr", "vicreg", "byol"])
def test_parts_of_the_nodes_give_what_all_give(archive, method: str) -> None:
    """The gradient cache, and so two processes, see the whole graph in every part."""
    plan = make_plan(method, archive, encoder="gcn-s")
    method = plan.method.double().eval()
    torch.manual_seed(0)
    views = method.views(plan.dataset.pretraining.fetch(torch.arange(160)).without_label())
    views = [v.with_x(v.x.to(torch.float64)) for v in views]
    found = []
    for step in (plain_step, lambda *a: cached_step(*a, chunk=37)):
        method.zero_grad()
        terms = step(method, views, lambda loss: loss.backward())
        found.append([sum(terms.values()), *(p.grad for p in method.parameters() if p.grad is not None)])
    for a, b in zip(*found):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-6)


def test_nodes_have_no_tokens(archive) -> None:
    with pytest.raises(InputError, match="nodes of one graph cannot give tokens"):
        make_plan("mae", archive)


def test_raw_features() -> None:
    edges = torch.tensor([[0, 0, 4], [1, 2, 5]])
    graphs = pack(torch.tensor([[1], [2], [2], [1], [3], [3]]), edges, torch.tensor([4, 2]))
    found = histograms(graphs, {"features": "categories", "size": 4})
    torch.testing.assert_close(found[0, :2], torch.tensor([4.0, 4.0]).log1p())
    torch.testing.assert_close(found[0, 2:6], torch.tensor([1.0, 2, 1, 0]) / 4)  # degrees 0, 1, 2
    torch.testing.assert_close(found[0, -4:], torch.tensor([0, 2.0, 2, 0]) / 4)
    torch.testing.assert_close(found[1, -4:], torch.tensor([0, 0, 0, 1.0]))
    one = node_features(Nodes(graphs, torch.tensor([3, 0])), {"size": 4})
    assert one.argmax(1).tolist() == [1, 1]


def test_a_spec_from_a_broken_file() -> None:
    kind = modality("graph")
    for spec in (
        {},
        {"level": "edges", "features": "dense", "size": 3},
        {"level": "nodes", "features": "dense"},
    ):
        with pytest.raises((KeyError, ValueError)):
            kind.check(spec)
    kind.check(data.open([pack_item()]).spec)


def pack_item():
    from types import SimpleNamespace

    return SimpleNamespace(x=torch.eye(3), edge_index=torch.tensor([[0], [1]]), y=None)
