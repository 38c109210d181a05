"""dBOT: the teacher is frozen in a stage, is the student after it, and the student forgets."""

import torch
import torch.nn.functional as F

from anyview.data.batch import Batch
from anyview.encoders import build
from anyview.methods.masked.dbot import DBOT
from anyview.objectives.regression import masked_smooth_l1
from anyview.views.image import plain_view

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}


def method(seed=0, encoder=None, **options):
    torch.manual_seed(seed)
    return DBOT(build("vit-nano", (3, 16, 16), **(encoder or {})), plain_view(SPEC), **options)


def with_class(**options):
    """An encoder with a class token, and two more that are not predicted."""
    return method(encoder={"pool": "cls", "registers": 2}, **options)


def weights(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()]).clone()


def test_stages():
    m = method(stages=3)
    teacher = weights(m.teacher)
    for progress in (0.0, 0.2, 0.33):
        m.progress = progress
        with torch.no_grad():
            m.encoder.norm.weight += 0.1
        m.after_step()
        assert torch.equal(weights(m.teacher), teacher)
    student = weights(m.encoder)
    m.progress = 0.34
    m.after_step()
    assert torch.equal(weights(m.teacher), student)
    assert not torch.allclose(weights(m.encoder), student, atol=0.01)
    assert int(m.stage) == 1
    m.progress = 1.0
    m.after_step()
    assert int(m.stage) == 2


def test_what_is_drawn_anew_depends_on_the_seed_and_not_on_the_generator():
    first, again, other = method(), method(), method(seed=1)
    for m, seed in ((first, 5), (again, 6), (other, 5)):
        torch.manual_seed(seed)
        m.next_stage()
    assert torch.equal(weights(first.encoder), weights(again.encoder))
    assert torch.equal(weights(first.decoder), weights(again.decoder))
    assert not torch.equal(weights(first.encoder), weights(other.encoder))


def test_targets_of_layer_0_know_their_own_patch_only():
    x = torch.randn(1, 3, 16, 16)
    other = x.clone()
    other[:, :, :, 4:] += torch.randn(1, 3, 16, 12)
    flat, deep = method(teacher_layer=0), method()
    assert torch.equal(flat.targets(x)[:, 0], flat.targets(other)[:, 0])
    assert not torch.equal(flat.targets(x)[:, 1], flat.targets(other)[:, 1])
    assert not torch.equal(deep.targets(x)[:, 0], deep.targets(other)[:, 0])


def test_every_stage_has_the_whole_schedule():
    m, seen = method(stages=2), []
    for step in range(8):
        m.progress = step / 8
        seen.append(m.lr_progress)
        m.after_step()
    # the step that ends a stage has the schedule's end
    assert seen == [0.0, 0.25, 0.5, 0.75, 1.0, 0.25, 0.5, 0.75]


def test_targets_are_standardised_and_know_no_scale(monkeypatch):
    m, x = method(), torch.randn(2, 3, 16, 16)
    target = m.targets(x)
    torch.testing.assert_close(target.mean(-1), torch.zeros(2, 16), atol=1e-5, rtol=0)
    torch.testing.assert_close(target.var(-1, correction=0), torch.ones(2, 16), atol=1e-4, rtol=0)
    plain = m.teacher.module.trunk.forward
    monkeypatch.setattr(m.teacher.module.trunk, "forward", lambda *args: [5 * h for h in plain(*args)])
    torch.testing.assert_close(m.targets(x), target, atol=1e-4, rtol=0)


def test_the_teacher_is_in_eval_mode_while_the_student_trains():
    m = method()
    m.train()
    assert m.encoder.training
    assert not any(part.training for part in m.teacher.modules())


def test_a_class_token_must_be_the_teachers():
    m, x = with_class(), torch.randn(2, 3, 16, 16)
    frozen = m.teacher.module
    (outputs,) = frozen._run(frozen._embed(x), [m.encoder.depth])  # class, two registers, sixteen patches
    raw = torch.cat([outputs[:, :1], outputs[:, 3:]], 1)
    torch.testing.assert_close(m.targets(x), F.layer_norm(raw, raw.shape[-1:], eps=1e-6))
    found = m([Batch(x, torch.arange(2))])
    assert found["valid"].all()
    assert found["prediction"].shape == found["target"].shape == (2, 1 + 12, m.encoder.dim)
    assert torch.equal(found["target"][:, 0], m.targets(x)[:, 0])
    hidden = m([Batch(x + 0, torch.arange(2))])["target"][:, 1:, None]
    assert (hidden == m.targets(x)[:, None, 1:]).all(-1).any(-1).all()  # the rest are tokens of the teacher


def test_a_class_token_counts_as_one_hidden_token_and_teaches_the_encoders():
    m, x = with_class(), torch.randn(2, 3, 16, 16)
    found = m([Batch(x, torch.arange(2))])
    per_token = F.smooth_l1_loss(found["prediction"], found["target"], beta=2.0, reduction="none").mean(-1)
    torch.testing.assert_close(m.loss(**found), per_token.mean())
    alone = {k: v[:, :1] for k, v in found.items()}
    masked_smooth_l1(**alone).backward()
    assert m.encoder.prefix.grad[0].abs().sum() > 0
    assert method(encoder={"pool": "mean", "registers": 2}).targets(x).shape[1] == 16


def test_layer_0_says_the_same_of_every_class_token():
    m = with_class(teacher_layer=0)
    one, other = (m.targets(torch.randn(1, 3, 16, 16)) for _ in range(2))
    assert torch.equal(one[:, 0], other[:, 0])
    assert not torch.equal(one[:, 1], other[:, 1])


def test_without_a_class_token_only_hidden_tokens_are_predicted():
    m, x = method(), torch.randn(2, 3, 16, 16)
    torch.manual_seed(3)
    found = m([Batch(x, torch.arange(2))])
    assert found["prediction"].shape == (2, 12, m.encoder.dim)
