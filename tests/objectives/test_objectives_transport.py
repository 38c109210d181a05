"""Balanced assignments against loops, marginals, and the best hard assignment."""

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from anyview.errors import InputError
from anyview.objectives.distillation import distillation
from anyview.objectives.transport import sinkhorn, transport


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def slow_sinkhorn(scores, epsilon, iterations):
    """Turns of dividing by sums, in the order of SwAV's paper: prototypes, then samples."""
    q = (scores / epsilon).exp()
    for _ in range(iterations):
        for k in range(q.shape[1]):
            q[:, k] = q[:, k] / q[:, k].sum() / q.shape[1]
        for b in range(q.shape[0]):
            q[b] = q[b] / q[b].sum() / q.shape[0]
    return q / q.sum(1, keepdim=True)


@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_sinkhorn_is_its_turns_and_each_view_is_a_problem_of_its_own(iterations):
    scores = random(2, 12, 5)
    found = sinkhorn(scores, 0.5, iterations)
    for view, q in zip(scores, found):
        torch.testing.assert_close(q, slow_sinkhorn(view, 0.5, iterations), atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 12, dtype=torch.float64))


def test_many_turns_give_every_prototype_its_share_and_none_gives_one_all():
    scores = random(40, 5) + torch.tensor([3.0, 0, 0, 0, 0])  # one prototype is everybody's
    share = sinkhorn(scores, 0.3, 200).mean(0)
    torch.testing.assert_close(share, torch.full_like(share, 0.2), atol=1e-6, rtol=0)
    assert sinkhorn(scores, 0.3, 0).mean(0)[0] > 0.9


def test_a_shift_of_a_prototype_or_of_a_sample_changes_nothing_at_the_end():
    scores = random(20, 4)
    moved = scores + random(1, 4, seed=1) + random(20, 1, seed=2)
    torch.testing.assert_close(sinkhorn(moved, 0.5, 300), sinkhorn(scores, 0.5, 300), atol=1e-6, rtol=0)


def test_low_temperatures_and_half_precision_stay_finite():
    scores = 100 * random(30, 6)
    assert sinkhorn(scores, 0.001).isfinite().all()
    half = (scores / 100).bfloat16()
    assert sinkhorn(half).dtype == torch.float32
    torch.testing.assert_close(sinkhorn(half).double(), sinkhorn(half.double()), atol=1e-4, rtol=1e-3)


def test_swapped_prediction_is_the_loss_of_swav():
    scores = 0.3 * random(4, 6, 5)
    codes = sinkhorn(scores[:2], 0.05)
    terms = [
        -float((codes[s, b] * (scores[v, b] / 0.1).log_softmax(0)).sum())
        for s in range(2)
        for v in range(4)
        for b in range(6)
        if v != s
    ]
    assert distillation(scores, codes, 0.1).item() == pytest.approx(sum(terms) / len(terms), rel=1e-9)


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 25.0])
def test_transport_has_its_marginals(sharpness):
    log_p = (2 * random(60, 6)).log_softmax(1)
    q = transport(log_p, sharpness, tolerance=1e-7, longest=20_000)
    torch.testing.assert_close(q.sum(1), torch.full((60,), 1 / 60, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(q.sum(0), torch.full((6,), 1 / 6, dtype=torch.float64), atol=1e-6, rtol=0)
    if not sharpness:
        torch.testing.assert_close(q, torch.full_like(q, 1 / 360))


def test_transport_is_sinkhorn_in_logarithms():
    log_p = random(30, 4).log_softmax(1)
    q = transport(log_p, 5.0, tolerance=1e-10, longest=5000)
    torch.testing.assert_close(30 * q, sinkhorn(log_p, 1 / 5.0, 2000), atol=1e-8, rtol=1e-6)


def test_sharp_transport_is_near_the_best_hard_assignment():
    log_p = (2 * random(60, 6)).log_softmax(1)
    cost = -log_p.repeat_interleave(10, 1).numpy()  # each cluster has ten places
    best = cost[linear_sum_assignment(cost)].sum() / 60
    found = float(-(transport(log_p, 200.0, tolerance=1e-4, longest=20_000) * log_p).sum())
    assert best - 1e-6 <= found * (1 + 1e-3)
    assert found <= 1.01 * best


def test_labels_are_nearly_balanced_where_the_likeliest_are_not():
    log_p = (random(3000, 8) + torch.arange(8) / 2).log_softmax(1)
    assert log_p.argmax(1).bincount(minlength=8).max() > 1000
    counts = transport(log_p, 25.0).argmax(1).bincount(minlength=8)
    assert counts.min() >= 0.8 * 375
    assert counts.max() <= 1.2 * 375


def test_probabilities_that_would_vanish_keep_their_order():
    log_p = torch.tensor([[0.0, -40.0], [-50.0, 0.0], [0.0, -33.0], [0.0, -45.0]])
    assert not (log_p[:, 1].double() * 25).exp()[[0, 2, 3]].any()
    q = transport(log_p, 25.0, longest=5000)
    assert q.isfinite().all()
    assert q.argmax(1).tolist() == [0, 1, 1, 0]


def test_bad_input():
    with pytest.raises(InputError, match="above 0"):
        sinkhorn(random(4, 3), 0.0)
