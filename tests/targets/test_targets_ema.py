"""The EMA teacher: closed form, buffers, BatchNorm, precision, resume."""

import copy

import pytest
import torch
from torch import nn

from anyview.data.batch import Ragged
from anyview.targets.ema import EMATeacher, momentum_schedule


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


def change(student, seed):
    """Moves parameters and floating buffers anywhere, and counts a step, as training would."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for t in [*student.parameters(), *student.buffers()]:
            if t.is_floating_point():
                t.copy_(torch.randn(t.shape, generator=g))
            else:
                t.add_(1)


def state(module):
    return {k: v.clone() for k, v in module.state_dict().items()}


def test_starts_as_a_copy_that_shares_nothing():
    student = network()
    teacher = EMATeacher(student)
    before = state(teacher.module)
    assert all(torch.equal(v, before[k]) for k, v in student.state_dict().items())
    change(student, 1)
    assert all(torch.equal(v, before[k]) for k, v in teacher.module.state_dict().items())
    assert not any(p.requires_grad for p in teacher.parameters())
    assert all(p.requires_grad for p in student.parameters())


def test_closed_form_after_k_steps_for_parameters_and_floating_buffers():
    student, m, k = network().double(), 0.9, 7
    teacher = EMATeacher(student)
    expected = {name: m**k * v for name, v in state(student).items() if v.is_floating_point()}
    for step in range(1, k + 1):
        change(student, step)
        teacher.update(student, m)
        for name in expected:
            expected[name] = expected[name] + (1 - m) * m ** (k - step) * student.state_dict()[name]
    got = teacher.module.state_dict()
    assert "1.running_mean" in expected
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, rtol=1e-12, atol=1e-12)
    assert got["1.num_batches_tracked"] == student[1].num_batches_tracked == k


def test_momentum_one_keeps_and_zero_copies():
    student = network()
    teacher = EMATeacher(student)
    before = state(teacher.module)
    change(student, 1)
    teacher.update(student, 1.0)
    for name, value in before.items():
        if value.is_floating_point():
            assert torch.equal(teacher.module.state_dict()[name], value)
    teacher.update(student, 0.0)
    for name, value in student.state_dict().items():
        assert torch.equal(teacher.module.state_dict()[name], value)


def test_forward_gives_no_gradient_and_the_students_output_at_first():
    student = network()
    teacher = EMATeacher(student)
    x = torch.randn(6, 3, requires_grad=True)
    y = teacher(x)
    assert not y.requires_grad
    torch.testing.assert_close(y, student(x).detach(), rtol=0, atol=0)


def test_batch_norm_uses_the_batch_but_keeps_its_statistics():
    student = network()
    teacher = EMATeacher(student)
    change(student, 1)
    teacher.update(student, 0.5)
    before = state(teacher.module)
    x = 5 + 3 * torch.randn(16, 3)
    teacher.train()
    hidden = teacher.module[1](teacher.module[0](x))
    weight, bias = teacher.module[1].weight, teacher.module[1].bias
    plain = nn.functional.batch_norm(teacher.module[0](x), None, None, weight, bias, training=True)
    torch.testing.assert_close(hidden, plain)
    teacher(x)
    for name in ("1.running_mean", "1.running_var"):
        assert torch.equal(teacher.module.state_dict()[name], before[name])
    assert student[1].momentum == 0.1  # the student's own keep moving
    teacher.eval()
    assert not torch.allclose(teacher.module[1](teacher.module[0](x)), hidden)


@pytest.mark.parametrize("cast", ["student", "both"])
def test_a_half_precision_student_does_not_stall_its_teacher(cast):
    student = nn.Linear(4, 4).bfloat16() if cast == "student" else nn.Linear(4, 4)
    holder = nn.ModuleDict({"student": student, "teacher": EMATeacher(student)})
    if cast == "both":
        exact = holder["teacher"].module.weight.clone()
        holder.bfloat16()
        assert torch.equal(holder["teacher"].module.weight, exact)  # not rounded on the way
    teacher = holder["teacher"]
    assert all(p.dtype == torch.float32 for p in teacher.parameters())
    with torch.no_grad():
        teacher.module.weight.fill_(1.0)
        student.weight.fill_(2.0)
    for _ in range(100):
        teacher.update(student, 0.999)
    torch.testing.assert_close(teacher.module.weight, torch.full((4, 4), 2 - 0.999**100))
    assert teacher(torch.randn(2, 4, dtype=torch.bfloat16)).dtype == torch.float32


def test_wider_precision_is_followed():
    teacher = EMATeacher(network())
    teacher.double()
    assert teacher.module[0].weight.dtype == teacher.module[1].running_mean.dtype == torch.float64


def test_payloads_of_any_kind_reach_the_network():
    class Sum(nn.Module):
        def forward(self, x, scale=1.0):
            return scale * torch.stack([s.sum() for s in x["series"].unpack()]) + x["age"]

    x = {"series": Ragged(torch.ones(5, 2).bfloat16(), torch.tensor([2, 3])), "age": torch.tensor([1, 2])}
    got = EMATeacher(Sum())(x, scale=2.0)
    assert got.tolist() == [9.0, 14.0]
    assert got.dtype == torch.float32


def test_state_dict_round_trip_goes_on_exactly():
    student = network()
    teacher = EMATeacher(student)
    change(student, 1)
    teacher.update(student, 0.7)
    other = EMATeacher(network())
    other.load_state_dict(copy.deepcopy(teacher.state_dict()))
    change(student, 2)
    for t in (teacher, other):
        t.update(student, 0.7)
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in teacher.state_dict().items())
    assert not any(p.requires_grad for p in other.parameters())


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="zip"):
        EMATeacher(network()).update(nn.Linear(3, 8), 0.9)


def test_momentum_schedule():
    assert momentum_schedule(0.0, 0.996) == pytest.approx(0.996)
    assert momentum_schedule(1.0, 0.996) == 1.0
    assert momentum_schedule(0.5, 0.9) == pytest.approx(0.95)
    assert momentum_schedule(0.5, 0.9, end=0.9) == pytest.approx(0.9)
    assert momentum_schedule(1.3, 0.9) == 1.0
    assert momentum_schedule(-0.3, 0.9) == pytest.approx(0.9)
    values = [momentum_schedule(k / 20, 0.9) for k in range(21)]
    assert values == sorted(values)
