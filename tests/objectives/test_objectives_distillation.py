"""Self-distillation against loops written from the formulas, its bounds, and what it does not read."""

import math

import pytest
import torch

from anyview.errors import InputError
from anyview.objectives.distillation import distillation, masked_distillation


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("views", "targets"), [(2, 2), (6, 2), (3, 1), (4, 4)])
def test_distillation_is_the_mean_over_pairs_of_different_views(views, targets):
    student, target = random(views, 5, 7), random(targets, 5, 7, seed=1).softmax(-1)
    terms = []
    for v in range(targets):
        for w in range(views):
            if v != w:
                for b in range(5):
                    p = torch.exp(student[w, b] / 0.3) / torch.exp(student[w, b] / 0.3).sum()
                    terms.append(-sum(target[v, b, k] * torch.log(p[k]) for k in range(7)) / 5)
    expected = sum(terms) / (len(terms) / 5)
    assert distillation(student, target, 0.3).item() == pytest.approx(expected.item(), abs=1e-10)


def test_distillation_is_no_lower_than_the_entropy_of_its_targets():
    target = random(1, 4, 6).softmax(-1).expand(2, 4, 6)
    entropy = -(target * target.log()).sum(-1).mean().item()
    assert distillation(0.5 * target.log(), target, 0.5).item() == pytest.approx(entropy, abs=1e-12)
    assert distillation(random(2, 4, 6, seed=2), target, 0.5).item() > entropy
    assert distillation(torch.zeros(2, 4, 6), target.float()).item() == pytest.approx(math.log(6), abs=1e-6)


def test_distillation_does_not_mind_a_constant_or_the_order_of_prototypes():
    student, target = random(4, 5, 7), random(2, 5, 7, seed=1).softmax(-1)
    value = distillation(student, target).item()
    order = torch.randperm(7)
    assert distillation(student + 3, target).item() == pytest.approx(value, abs=1e-9)
    assert distillation(student[..., order], target[..., order]).item() == pytest.approx(value, abs=1e-9)


def test_masked_distillation_is_a_mean_over_patches_then_samples():
    student, target = random(3, 4, 5), random(3, 4, 5, seed=1).softmax(-1)
    valid = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()
    total = 0.0
    for i in range(3):
        log_p = (student[i] / 0.1).log_softmax(-1)
        each = [-(target[i, j] * log_p[j]).sum().item() for j in range(4) if valid[i, j]]
        total += sum(each) / max(1, len(each)) / 3  # the last hides nothing and counts as zero
    assert masked_distillation(student, target, valid).item() == pytest.approx(total, abs=1e-10)
    student[~valid], target[~valid] = math.nan, math.nan
    assert masked_distillation(student, target, valid).item() == pytest.approx(total, abs=1e-10)
    nothing = masked_distillation(student[:, :0], target[:, :0], valid[:, :0])
    assert nothing.item() == 0


def test_gradients_reach_the_student_alone():
    target = random(2, 3, 4, seed=1).softmax(-1)
    assert torch.autograd.gradcheck(lambda s: distillation(s, target, 0.5), random(4, 3, 4).requires_grad_())
    valid = torch.tensor([[1, 1, 0], [1, 0, 0]]).bool()
    held = random(2, 3, 4, seed=1).softmax(-1).requires_grad_()
    student = random(2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: masked_distillation(s, held.detach(), valid, 0.5), student)
    (distillation(student, held) + masked_distillation(student, held, valid)).backward()
    assert held.grad is None


def test_half_precision_is_computed_in_full():
    student, target = random(4, 6, 50).bfloat16(), random(2, 6, 50, seed=1).softmax(-1).bfloat16()
    value = distillation(student, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(
        value.double(), distillation(student.double(), target.double()), rtol=1e-5, atol=1e-5
    )


def test_bad_input():
    target = random(2, 3, 4).softmax(-1)
    for student, t in ((random(1, 3, 4), target[:1]), (random(2, 3, 4), target[:0])):
        with pytest.raises(InputError, match="two or more views"):
            distillation(student, t)
    with pytest.raises(InputError, match="no more than views"):
        distillation(random(2, 3, 4), random(3, 3, 4))
    with pytest.raises(InputError, match="temperature"):
        distillation(random(2, 3, 4), target, 0.0)
