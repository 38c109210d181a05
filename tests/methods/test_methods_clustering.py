"""What is each clustering method's own: whose code, which labels, when they change, what is hidden."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from anyview.data import open as open_data
from anyview.encoders import build, registry
from anyview.errors import InputError
from anyview.methods.clustering.clusterfit import ClusterFit
from anyview.methods.clustering.deepcluster_v2 import DeepClusterV2
from anyview.methods.clustering.msn import MSN
from anyview.methods.clustering.sela import SeLa
from anyview.methods.clustering.swav import SwAV
from anyview.objectives.distillation import distillation
from anyview.objectives.prototypes import msn
from anyview.objectives.transport import sinkhorn, transport
from anyview.targets.kmeans import nearest
from anyview.training import callbacks
from anyview.training.callbacks import Relabel
from anyview.training.plan import make_plan
from anyview.training.run import train
from anyview.views.image import multi_crop, multi_view, whole

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}
DATA = open_data(torch.randint(0, 255, (20, 3, 16, 16), dtype=torch.uint8)).train
BATCH = DATA.fetch(torch.tensor([3, 17, 0, 8, 11, 5]))


def built(cls, views=multi_crop, name="convnet-s", **options):
    small = {"width": 8} if name == "convnet-s" else {}
    return cls(build(name, (3, 16, 16), **small), views(SPEC), **options)


def embed(method):
    return lambda network=None: Relabel(DATA, lambda x: whole(x, SPEC), 2).embed(
        method, network or method.encoder
    )


def test_swav_predicts_the_codes_of_the_other_large_crop() -> None:
    method = built(SwAV, prototypes=5).eval()
    views = method.make_views(BATCH)
    found = method(views)
    assert set(found) == {"scores"}
    z = torch.stack([F.normalize(method.projector(method.encoder(v.x)), dim=1) for v in views])
    scores = z @ F.normalize(method.prototypes.weight, dim=1).T
    torch.testing.assert_close(found["scores"], scores, atol=1e-5, rtol=1e-4)
    expected = distillation(scores, sinkhorn(scores[:2].detach(), 0.03), 0.1)
    torch.testing.assert_close(method.loss(**found), expected, atol=1e-4, rtol=1e-4)


def test_swav_holds_its_prototypes_at_first() -> None:
    method = built(SwAV, prototypes=5)
    for progress, moves in ((0.0, False), (0.5, True)):
        method.progress = progress
        method.zero_grad()
        method.loss(**method(method.make_views(BATCH))).backward()
        assert bool(method.prototypes.weight.grad.any()) == moves


def test_a_full_queue_helps_to_assign_from_its_start_on() -> None:
    method = built(SwAV, prototypes=9, queue_length=12, queue_start=0.5)
    batches = [method(method.make_views(BATCH)) for _ in range(3)]
    for found in batches[:2]:
        method.loss(**found)
        method.after_step()
    found = batches[2]
    alone = distillation(found["scores"], sinkhorn(found["scores"][:2].detach(), 0.03), 0.1)
    torch.testing.assert_close(method.loss(**found), alone)  # full, but it has not begun
    method.progress = 0.5
    earlier = torch.stack([torch.cat([b["z"][crop] for b in batches[:2]]) for crop in range(2)])
    everything = torch.cat([method.prototypes(earlier), found["scores"][:2]], 1).detach()
    codes = sinkhorn(everything, 0.03)[:, 12:]
    torch.testing.assert_close(method.loss(**found), distillation(found["scores"], codes, 0.1))
    assert SwAV.scaled(1_281_167, 256) == {"prototypes": 3000, "queue_length": 3840}  # as in the paper
    assert SwAV.scaled(1_281_167, 4096)["queue_length"] == 0


def test_msn_does_not_see_what_it_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    method = built(MSN, name="vit-nano", drop=0.5, prototypes=7).eval()
    hidden = torch.zeros(6, 16, dtype=torch.bool)
    hidden[:, 1::2] = True  # every other patch of 4 by 4
    monkeypatch.setattr("anyview.methods.clustering.msn.random_mask", lambda *a: hidden)
    views = method.make_views(BATCH)
    seen = method(views)
    columns = torch.arange(16) // 4 % 2 == 1
    noise = torch.randn(6, 3, 16, 16) * columns
    for place, same in ((1, True), (0, False)):
        changed = list(views)
        changed[place] = views[place].with_x(views[place].x + noise)
        found = method(changed)
        assert torch.equal(found["anchor"][0], seen["anchor"][0])
        assert torch.equal(found["target"], seen["target"]) == same
        assert torch.equal(found["anchor"][1:], seen["anchor"][1:])


def test_msn_without_drop_compares_whole_views() -> None:
    method = built(
        MSN, lambda spec: multi_crop(spec, local_count=0), "vit-nano", drop=0.0, prototypes=7, iterations=0
    )
    views = method.eval().make_views(BATCH)
    found = method(views)
    z = method.projector(method.encoder(views[1].x))
    torch.testing.assert_close(found["anchor"][0], method.prototypes(z))
    torch.testing.assert_close(found["target"][0], method.prototypes(method.teacher(views[0].x)))
    p = (10 * found["anchor"][0]).softmax(1)
    q = (40 * found["target"][0]).softmax(1)  # a temperature of 0.1 sharpened by 0.25
    loss = method.loss(**found)
    torch.testing.assert_close(loss["agreement"], -(q * p.log()).sum(1).mean(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(loss["spread"], msn(found["anchor"], found["target"][0])["spread"])
    assert not found["target"].requires_grad


def test_msn_follows_linearly() -> None:
    method = built(MSN, name="vit-nano", prototypes=7, momentum=0.5)
    weight = method.teacher.module[1][0].weight.clone()
    with torch.no_grad():
        method.projector[0].weight.add_(1.0)
    method.progress = 0.5
    method.after_step()
    torch.testing.assert_close(method.teacher.module[1][0].weight, weight + 0.25)


def test_deepcluster_clusters_what_the_last_epoch_left() -> None:
    method = built(DeepClusterV2, clusters=4, samples=20)
    method.before_epoch(embed(method))
    assert method.training
    assert method.projector.training
    for i in range(3):
        assert torch.equal(nearest(method.memory[0], method.centroids[i]), method.labels.value[i])
    found = method(method.make_views(BATCH))
    method.loss(**found).backward()
    before = method.memory.clone()
    method.after_step()
    torch.testing.assert_close(method.memory[:, BATCH.index], found["z"])
    torch.testing.assert_close(method.memory.norm(dim=2), torch.ones(2, 20))
    others = torch.tensor([i for i in range(20) if i not in BATCH.index.tolist()])
    assert torch.equal(method.memory[:, others], before[:, others])
    method.before_epoch(lambda: pytest.fail("the memory is there"))
    for i in range(3):  # crops by turns
        assert torch.equal(nearest(method.memory[i % 2], method.centroids[i]), method.labels.value[i])


def test_deepcluster_classifies_every_crop_by_its_cosines() -> None:
    method = built(DeepClusterV2, clusters=4, samples=20, clusterings=2).eval()
    method.before_epoch(embed(method))
    views = method.make_views(BATCH)
    terms = []
    for view in views:
        z = F.normalize(method.projector(method.encoder(view.x)), dim=1)
        terms += [
            F.cross_entropy(z @ centroids.T / 0.1, labels[BATCH.index])
            for centroids, labels in zip(method.centroids, method.labels.value)
        ]
    torch.testing.assert_close(method.loss(**method(views)), torch.stack(terms).mean(), atol=1e-5, rtol=1e-5)


def one_view(spec):
    return multi_view(spec, count=1)


def test_sela_gives_each_head_the_labels_that_fit_it() -> None:
    method = built(SeLa, one_view, clusters=4, labellings=2, samples=20, sharpness=10.0)
    start = method.labels.value.clone()
    method.before_epoch(embed(method))
    h = embed(method)()
    for i in range(2):
        log_p = method.logits(h)[:, i].log_softmax(1)
        assert torch.equal(method.labels.value[i], transport(log_p, 10.0).argmax(1))
    assert not torch.equal(method.labels.value, start)
    views = method.eval().make_views(BATCH)
    logits = method.logits(method.encoder(views[0].x))
    terms = [F.cross_entropy(logits[:, i], method.labels.value[i, BATCH.index]) for i in range(2)]
    torch.testing.assert_close(method.loss(**method(views)), torch.stack(terms).mean())
    one_cluster = built(SeLa, one_view, clusters=4, labellings=1, samples=20, balanced=False)
    with torch.no_grad():
        one_cluster.heads.bias[2] = 50
    one_cluster.before_epoch(embed(one_cluster))
    assert one_cluster.labels.value.unique().tolist() == [2]


def test_sela_labels_more_often_early_than_late() -> None:
    method = built(SeLa, one_view, clusters=4, labellings=1, samples=20, moments=4)
    called = []
    for epoch in range(16):
        method.progress = epoch / 16
        method.before_epoch(lambda e=epoch: called.append(e) or torch.randn(20, method.encoder.dim))
    assert called == [0, 1, 4, 9]


def test_clusterfit_clusters_another_network_once(tmp_path) -> None:
    other = build("convnet-s", (3, 16, 16), width=6)
    registry.save(other, tmp_path)
    method = built(ClusterFit, one_view, clusters=4, samples=20, pretrained=str(tmp_path))
    assert method.centroids.shape == (4, other.dim)
    assert method.encoder.dim != other.dim
    assert not any("sources" in name for name in method.state_dict())
    method.before_epoch(embed(method))
    h = embed(method)(other)
    assert torch.equal(nearest(h, method.centroids), method.labels.value[0])
    labels = method.labels.value.clone()
    method.before_epoch(lambda: pytest.fail("once"))
    views = method.eval().make_views(BATCH)
    expected = F.cross_entropy(method.head(method.encoder(views[0].x)), labels[0, BATCH.index])
    torch.testing.assert_close(method.loss(**method(views)), expected)
    resumed = built(ClusterFit, one_view, clusters=4, samples=20, pretrained=str(tmp_path))
    resumed.load_state_dict(method.state_dict())
    resumed.before_epoch(lambda: pytest.fail("it was there before"))


def test_one_cluster_teaches_nothing() -> None:
    method = built(ClusterFit, one_view, clusters=1, samples=20)
    method.before_epoch(embed(method))
    loss = method.loss(**method(method.make_views(BATCH)))
    loss.backward()
    assert loss.item() == 0
    assert not any(p.grad.any() for p in method.encoder.parameters())


def test_the_loop_embeds_in_order_and_each_process_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    method = built(SeLa, one_view, clusters=4, labellings=1, samples=20)
    method.train()
    relabel = Relabel(DATA, lambda x: whole(x, SPEC), 2)
    state = {k: v.clone() for k, v in method.state_dict().items()}
    alone = relabel.embed(method, method.encoder)
    encoder = method.encoder.eval()
    torch.testing.assert_close(alone, encoder(whole(DATA.fetch(torch.arange(20)).x, SPEC)).detach())
    assert all(torch.equal(v, state[k]) for k, v in method.state_dict().items())
    shares = []
    for rank in range(3):  # 7, 7 and 6 samples
        monkeypatch.setattr(callbacks, "gather", lambda x: shares.append(x) or torch.cat([x] * 3, 1))
        relabel.embed(method, method.encoder, rank, 3)
    torch.testing.assert_close(torch.cat(shares, 1)[0, :20], alone)
    assert [s.shape[1] for s in shares] == [7, 7, 7]


def test_the_loop_labels_at_the_start_of_epochs_with_the_progress_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(
        SeLa, "before_epoch", lambda self, embed: seen.append((self.progress, tuple(embed().shape)))
    )
    options = {"epochs": 3, "batch_size": 10, "health": False, "precision": "fp32", "encoder.width": 8}
    plan = make_plan("sela", DATA.fetch(torch.arange(20)).x, options=options, encoder="convnet-s")
    train(plan, tmp_path)
    assert seen == [(pytest.approx(epoch / 3), (20, 32)) for epoch in range(3)]


def test_bad_input(tmp_path) -> None:
    with pytest.raises(InputError, match="hides tokens"):
        built(MSN, prototypes=7)
    with pytest.raises(InputError, match="drop"):
        built(MSN, name="vit-nano", drop=1.0)
    with pytest.raises(InputError, match="give samples"):
        built(DeepClusterV2, clusters=4)
    with pytest.raises(InputError, match="moment"):
        built(SeLa, one_view, clusters=4, samples=20, moments=0)
    registry.save(build("convnet-s", (3, 8, 8), width=6), tmp_path)
    with pytest.raises(InputError, match="other samples"):
        built(ClusterFit, one_view, clusters=4, samples=20, pretrained=str(tmp_path))
