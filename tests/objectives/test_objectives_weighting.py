"""Learned weights of losses: the formula, and where a constant loss has its least."""

import math

import torch

from anyview.objectives.weighting import uncertainty_weighted


def test_is_the_formula():
    torch.manual_seed(0)
    losses, log_scale = torch.rand(3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    found = uncertainty_weighted(dict(zip("abc", losses)), log_scale)
    for name, loss, s in zip("abc", losses.tolist(), log_scale.exp().tolist()):
        assert math.isclose(found[name].item(), loss / (2 * s * s) + math.log(s), abs_tol=1e-12)


def test_a_constant_loss_rests_where_the_square_of_s_is_the_loss():
    losses = torch.tensor([0.25, 4.0], dtype=torch.float64)
    log_scale = (0.5 * losses.log()).requires_grad_()
    terms = uncertainty_weighted(dict(zip("ab", losses)), log_scale)
    torch.stack(list(terms.values())).sum().backward()
    torch.testing.assert_close(log_scale.grad, torch.zeros(2, dtype=torch.float64))


def test_the_larger_loss_is_pushed_to_the_larger_scale():
    log_scale = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    terms = uncertainty_weighted({"small": torch.tensor(0.5), "large": torch.tensor(3.0)}, log_scale)
    torch.stack(list(terms.values())).sum().backward()
    small, large = (-log_scale.grad).tolist()  # the direction of a step
    assert small < 0 < large


def test_gradients():
    losses = torch.rand(3, dtype=torch.float64, requires_grad=True)
    log_scale = torch.randn(3, dtype=torch.float64, requires_grad=True)

    def total(a, b):
        return torch.stack(list(uncertainty_weighted(dict(zip("abc", a.unbind())), b).values())).sum()

    assert torch.autograd.gradcheck(total, (losses, log_scale))
