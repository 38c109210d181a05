"""MSN's loss against its formula, and its limiting cases."""

import math

import pytest
import torch

from anyview.errors import InputError
from anyview.objectives.prototypes import labelled, msn, sharpened
from anyview.objectives.transport import sinkhorn


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_msn_is_the_formula():
    anchor, target, t = 0.3 * random(3, 7, 5), 0.3 * random(7, 5, seed=1), 0.1
    p = (anchor / t).softmax(-1)
    q = (target / t).softmax(-1) ** 4
    q = q / q.sum(-1, keepdim=True)
    agreement = -sum(float((q[b] * p[a, b].log()).sum()) for a in range(3) for b in range(7)) / 21
    m = sum(p[a, b] for a in range(3) for b in range(7)) / 21
    terms = msn(anchor, target, t, 0.25, spread=2.0)
    assert terms["agreement"].item() == pytest.approx(agreement, rel=1e-10)
    assert terms["spread"].item() == pytest.approx(2 * (math.log(5) + float((m * m.log()).sum())), rel=1e-9)
    balanced = msn(anchor, target, t, 0.25, iterations=3)["agreement"].item()
    q = sinkhorn(q.log(), 1.0, 3)
    assert balanced == pytest.approx(-float((q * p.log()).sum(-1).mean()), rel=1e-10)


def test_spread_is_none_when_all_are_used_and_most_when_one_is():
    even = torch.eye(6, dtype=torch.float64)[torch.arange(12) % 6].expand(2, 12, 6)
    one = torch.eye(6, dtype=torch.float64)[torch.zeros(12, dtype=torch.int64)].expand(2, 12, 6)
    assert msn(even, even[0], 0.01)["spread"].item() == pytest.approx(0, abs=1e-9)
    assert msn(one, one[0], 0.01)["spread"].item() == pytest.approx(math.log(6), abs=1e-9)
    assert msn(even, even[0], 0.01, spread=0.0)["spread"].item() == 0


def test_sharpening_by_one_changes_nothing_and_sinkhorn_balances():
    logits = random(9, 4)
    torch.testing.assert_close(sharpened(logits, 1.0), logits.softmax(-1))
    assert (sharpened(logits, 0.25).amax(1) > logits.softmax(-1).amax(1)).all()
    q = sharpened(logits, 0.5, iterations=200)
    torch.testing.assert_close(q.sum(0), torch.full((4,), 9 / 4, dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(q.sum(1), torch.ones(9, dtype=torch.float64))


def test_gradients_reach_anchors_and_not_targets():
    anchor, target = random(2, 4, 3).requires_grad_(), random(4, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a: sum(msn(a, target.detach(), 0.5, iterations=2).values()), anchor
    )
    sum(msn(anchor, target, 0.5).values()).backward()
    assert target.grad is None
    far = torch.tensor([[1.0, -1, -1]]).expand(2, 4, 3).clone().requires_grad_()  # two are never used
    sum(msn(far, far.detach()[0], 0.003).values()).backward()
    assert far.grad.isfinite().all()


def test_labelled_is_the_mean_of_all_rows():
    logits, label = random(2, 5, 3, 4), torch.arange(30).view(2, 5, 3) % 4
    terms = [
        -float((logits[v, b, h] / 0.5).log_softmax(0)[label[v, b, h]])
        for v in range(2)
        for b in range(5)
        for h in range(3)
    ]
    assert labelled(logits, label, 0.5).item() == pytest.approx(sum(terms) / 30, rel=1e-10)
    assert labelled(torch.zeros(7, 4), torch.arange(7) % 4).item() == pytest.approx(math.log(4))
    assert labelled(random(7, 1), torch.zeros(7, dtype=torch.int64)).item() == 0
    assert torch.autograd.gradcheck(lambda z: labelled(z, label, 0.5), logits.requires_grad_())
    half = random(9, 4).bfloat16()
    assert labelled(half, torch.arange(9) % 4).dtype == torch.float32


def test_half_precision_is_computed_in_full():
    anchor = (0.3 * random(2, 8, 5)).bfloat16()
    for name, value in msn(anchor, anchor[0], iterations=3).items():
        assert value.dtype == torch.float32
        expected = msn(anchor.double(), anchor[0].double(), iterations=3)[name]
        torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=1e-5)


def test_bad_input():
    for wrong in ({"temperature": 0.0}, {"sharpen": 0.0}):
        with pytest.raises(InputError, match="above"):
            msn(random(1, 3, 4), random(3, 4), **wrong)
    with pytest.raises(InputError, match="above"):
        labelled(random(3, 4), torch.arange(3), 0.0)
