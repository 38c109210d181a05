"""Optimisers: LARS against its algorithm, what decays, and the rate over the schedule."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from anyview.training.optim import LARS, LR, build_optimizer, lr_factor, parameter_groups, peak_lr
from anyview.training.options import OptimizerOptions


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))


def reference(weights, gradients, *, lr, momentum, decay, trust, adapt):
    """You et al. 2017, algorithm 1, one layer at a time; ``gradients`` and ``lr`` have an entry a step.

    The local rate divides by the norm of the decayed gradient, and the global rate stands outside the
    momentum, as in the published code of Barlow Twins and VICReg.
    """
    weights = [w.clone() for w in weights]
    velocity = [torch.zeros_like(w) for w in weights]
    for step, grads in enumerate(gradients):
        for i, g in enumerate(grads):
            w = weights[i]
            g = g + decay[i] * w
            local = 1.0
            if adapt[i]:
                w_norm, g_norm = float(w.square().sum().sqrt()), float(g.square().sum().sqrt())
                if w_norm > 0 and g_norm > 0:
                    local = trust * w_norm / g_norm
            velocity[i] = momentum * velocity[i] + local * g
            weights[i] = w - lr[step] * velocity[i]
    return weights


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_lars_follows_its_algorithm(decay: float) -> None:
    g = torch.Generator().manual_seed(0)
    shapes, steps = [(4, 3), (2, 3, 2, 2), (5,), (3, 3)], 5
    start = [torch.randn(s, generator=g, dtype=torch.float64) for s in shapes]
    start[3] = torch.zeros(3, 3, dtype=torch.float64)  # a layer at zero must be able to leave it
    gradients = [[torch.randn(s, generator=g, dtype=torch.float64) for s in shapes] for _ in range(steps)]
    rates = [0.1, 0.2, 0.3, 0.2, 0.1]
    params = [nn.Parameter(w.clone()) for w in start]
    optimizer = LARS(
        [
            {"params": [params[0], params[1], params[3]], "weight_decay": decay, "adapt": True},
            {"params": [params[2]], "weight_decay": 0.0, "adapt": False},
        ],
        lr=0.1,
        momentum=0.9,
        trust=0.02,
    )
    for lr, grads in zip(rates, gradients):
        for group in optimizer.param_groups:
            group["lr"] = lr
        for p, grad in zip(params, grads):
            p.grad = grad.clone()
        optimizer.step()
    expected = reference(
        start,
        gradients,
        lr=rates,
        momentum=0.9,
        decay=[decay, decay, 0.0, decay],
        trust=0.02,
        adapt=[True, True, False, True],
    )
    for p, w in zip(params, expected):
        torch.testing.assert_close(p.detach(), w, rtol=1e-10, atol=1e-12)


def test_lars_does_not_depend_on_the_scale_of_gradients() -> None:
    moved = []
    for scale in (1.0, 1e4):
        w = nn.Parameter(torch.arange(6.0).view(2, 3))
        w.grad = scale * torch.ones(2, 3)
        LARS([w], lr=1.0).step()
        moved.append(w.detach())
    torch.testing.assert_close(moved[0], moved[1])


def test_lars_skips_what_has_no_gradient() -> None:
    w = nn.Parameter(torch.ones(2, 2))
    LARS([w], lr=1.0).step()
    assert torch.equal(w.detach(), torch.ones(2, 2))


@pytest.mark.parametrize("name", ["adamw", "sgd", "lars"])
def test_norms_and_biases_never_decay(name: str) -> None:
    net = network()
    optimizer = build_optimizer(net, OptimizerOptions(name=name, lr=0.1, weight_decay=0.5), 256)
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    for p in net.parameters():
        p.data += 1.0
        p.grad = torch.zeros_like(p)
    optimizer.step()
    moved = {n for n, p in net.named_parameters() if not torch.equal(p.detach(), before[n] + 1.0)}
    assert moved == {"0.weight", "3.weight"}


def test_groups_hold_every_trained_parameter_once() -> None:
    net = network()
    net[0].weight.requires_grad_(False)
    groups = parameter_groups(net, 0.1)
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in net.parameters() if p.requires_grad)
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]


def test_peak_scales_with_the_batch() -> None:
    assert peak_lr(OptimizerOptions(name="adamw", lr=1.0), 1024) == pytest.approx(2.0)
    assert peak_lr(OptimizerOptions(name="sgd", lr=1.0), 1024) == pytest.approx(4.0)
    assert peak_lr(OptimizerOptions(name="lars", lr=1.0), 64) == pytest.approx(0.25)
    for name, lr in LR.items():
        assert peak_lr(OptimizerOptions(name=name), 256) == pytest.approx(lr)


@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5, 1.0])
def test_rate_rises_to_one_and_falls_to_zero(warmup: float) -> None:
    points = [lr_factor(i / 1000, warmup) for i in range(1001)]
    peak = round(1000 * warmup)
    assert points[0] == (0.0 if warmup else 1.0)
    assert points[peak] == pytest.approx(1.0)
    assert points[-1] == pytest.approx(1.0 if warmup == 1.0 else 0.0, abs=1e-12)
    assert all(a < b for a, b in pairwise(points[: peak + 1]))
    assert all(a > b for a, b in pairwise(points[peak:]))
    assert all(0 <= p <= 1 for p in points)


def test_rate_is_half_in_the_middle_of_the_cosine() -> None:
    assert lr_factor(0.6, 0.2) == pytest.approx(0.5)
    assert lr_factor(0.1, 0.2) == pytest.approx(0.5)
    assert math.isclose(lr_factor(1.5, 0.2), 0.0, abs_tol=1e-12)
