"""LFR's loss against a double loop, its zero and what it does not see."""

import pytest
import torch
import torch.nn.functional as F

from anyview.objectives.instances import instance_barlow


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def loops(prediction, target, lambd):
    total = 0.0
    for p, t in zip(prediction, target):
        for i in range(len(p)):
            for j in range(len(p)):
                c = F.cosine_similarity(p[i], t[j], dim=0)
                total = total + ((1 - c) ** 2 if i == j else lambd * c**2)
    return total / len(prediction)


@pytest.mark.parametrize("shape", [(3, 6, 4), (2, 4, 9)])
def test_it_is_the_double_loop_in_value_and_gradient(shape):
    p, t = random(*shape).requires_grad_(), random(*shape, seed=1)
    got, wanted = instance_barlow(p, t, lambd=0.3), loops(p, t, 0.3)
    torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(*(torch.autograd.grad(x, p)[0] for x in (got, wanted)), rtol=1e-8, atol=1e-10)


def test_it_is_zero_only_where_prediction_is_orthogonal_target_up_to_scale():
    t = torch.eye(5, dtype=torch.float64)[None]
    assert float(instance_barlow(3 * t, t)) == pytest.approx(0, abs=1e-12)
    close = t + 0.1  # no longer orthogonal between samples
    assert float(instance_barlow(close, close)) > 1e-4
    assert float(instance_barlow(t.roll(1, 1), t)) > 4


def test_scale_does_not_matter():
    p, t = random(2, 5, 4), random(2, 5, 4, seed=1)
    scale = torch.rand(2, 5, 1, dtype=torch.float64) + 0.1
    torch.testing.assert_close(instance_barlow(p, t * scale), instance_barlow(p, t))
    torch.testing.assert_close(instance_barlow(p * scale, t), instance_barlow(p, t))


def test_the_target_gets_no_gradient():
    p, t = random(2, 5, 4).requires_grad_(), random(2, 5, 4, seed=1).requires_grad_()
    instance_barlow(p, t).backward()
    assert t.grad is None
    assert p.grad is not None
