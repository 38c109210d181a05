"""What is LFR's own: targets that never move, and encoder and predictors by turns."""

import torch

from anyview.data import open as open_data
from anyview.data.batch import Batch
from anyview.encoders import build
from anyview.methods.projection.lfr import LFR
from anyview.modalities import modality
from anyview.training.plan import make_plan

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}


def method(encoder: str = "convnet-s", **options) -> LFR:
    torch.manual_seed(0)
    views = modality("image").views_for("one_view")(SPEC)
    return LFR(build(encoder, (3, 16, 16)), views, targets=2, **options)


def batch(n: int = 8) -> Batch:
    pixels = torch.randint(256, (n, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    return Batch(pixels.to(torch.uint8), torch.arange(n))


def step(m: LFR, optimizer: torch.optim.Optimizer) -> None:
    sum_ = m.loss(**m(m.views(batch())))
    sum_.backward()
    optimizer.step()
    optimizer.zero_grad()
    m.after_step()


def state(module: torch.nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in module.state_dict().values()]


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b))


def test_each_has_its_turn_and_the_projectors_none() -> None:
    m = method(phase=2).train()
    m.prepare(m.views(batch()))
    optimizer = torch.optim.AdamW(m.parameters(), lr=1e-2)
    frozen = state(m.projectors)
    turns = []
    for _ in range(6):
        encoder, predictors = state(m.encoder), state(m.predictors)
        step(m, optimizer)
        turns.append((not same(encoder, state(m.encoder)), not same(predictors, state(m.predictors))))
    assert turns == [(True, False)] * 2 + [(False, True)] * 2 + [(True, False)] * 2
    assert same(frozen, state(m.projectors))


def test_all_at_once_is_the_ablation() -> None:
    m = method(phase=1, predictor_epochs=0).train()
    encoder, predictors = state(m.encoder), state(m.predictors)
    step(m, torch.optim.AdamW(m.parameters(), lr=1e-2))
    assert not same(encoder, state(m.encoder))
    assert not same(predictors, state(m.predictors))


def test_random_networks_are_shallow_and_of_the_encoders_kind() -> None:
    m = method("vit-nano")
    assert [n.depth for n in m.projectors.networks] == [2, 2]
    named = method("vit-nano", projector="convnet-s")
    assert named.projectors.networks[0].config["name"] == "convnet-s"


def test_the_plan_chooses_the_targets_by_samples_and_takes_an_epoch_for_a_turn() -> None:
    pixels = torch.randint(256, (40, 3, 16, 16), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    plan = make_plan("lfr", open_data(pixels), options={"batch_size": 8, "epochs": 1, "targets": 2})
    m = plan.method
    assert isinstance(m, LFR)
    assert m.phase == 5
    y = m.projectors(m.views(plan.dataset.train.fetch(torch.arange(40)))[0].x)
    torch.testing.assert_close(y.mean(1), torch.zeros_like(y[:, 0]), atol=1e-3, rtol=0)
