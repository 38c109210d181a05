"""SimSiam, UniSiam and the entropy-reconstruction bound: what each method wires by itself."""

import pytest
import torch
from torch import nn

from anyview.data import open as open_data
from anyview.encoders import build
from anyview.errors import InputError
from anyview.methods.distillation.byol import BYOL
from anyview.methods.distillation.er_bound import ERBound
from anyview.methods.distillation.simsiam import SimSiam
from anyview.methods.distillation.unisiam import UniSiam
from anyview.objectives.regression import negative_cosine
from anyview.views.image import two_views

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}


def made(cls, **options):
    torch.manual_seed(0)
    return cls(build("convnet-s", (3, 16, 16), width=8), two_views(SPEC), **options)


def found(method, seed=1):
    """Outputs for the same two views of the same eight images, whatever the method."""
    x = torch.randint(0, 255, (8, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(seed)
    return method(method.views(open_data(x).train.fetch(torch.arange(8))))


def total(terms):
    return sum(terms.values()) if isinstance(terms, dict) else terms


def gradients(module: nn.Module) -> list[bool]:
    return [p.grad is not None and bool(p.grad.any()) for p in module.parameters()]


def test_simsiam_is_the_mean_over_both_directions_of_equation_2():
    method = made(SimSiam, out_dim=16)
    z = found(method)
    p, t = z["prediction"], z["target"]
    cosine = nn.functional.cosine_similarity
    expected = -(cosine(p[0], t[1]).mean() + cosine(p[1], t[0]).mean()) / 2
    torch.testing.assert_close(total(method.loss(**z)), expected)


def test_simsiam_without_a_predictor_sends_gradient_through_projections_alone():
    method = made(SimSiam, out_dim=16, predictor=False)
    z = found(method)
    assert torch.equal(z["prediction"], z["target"])


@pytest.mark.parametrize("stop", [True, False])
def test_the_target_of_simsiam_has_a_gradient_only_in_its_ablation(stop):
    method = made(SimSiam, out_dim=16, stop_gradient=stop)
    target = torch.randn(2, 8, 16, requires_grad=True)
    total(method.loss(torch.randn(2, 8, 16, requires_grad=True), target)).backward()
    assert (target.grad is None or not target.grad.any()) == stop


def test_unisiam_without_uniformity_is_simsiam():
    plain, method = made(SimSiam, out_dim=16), made(UniSiam, out_dim=16, uniformity=0.0)
    for one in (plain, method):
        total(one.loss(**found(one))).backward()
    for mine, theirs in zip(method.parameters(), plain.parameters(), strict=True):
        assert torch.equal(mine.grad, theirs.grad)


def test_unisiams_uniformity_reads_projections_and_moves_both_sides():
    method = made(UniSiam, out_dim=16)
    target = torch.randn(2, 8, 16, requires_grad=True)
    terms = method.loss(torch.randn(2, 8, 16), target)
    terms["uniformity"].backward()
    assert target.grad[0].any()
    assert target.grad[1].any()
    # equal projections have a cosine of 1 with all others: one over the temperature
    same = method.loss(torch.randn(2, 8, 16), torch.ones(2, 8, 16))["uniformity"]
    torch.testing.assert_close(same, torch.tensor(method.uniformity / method.temperature))


@pytest.mark.parametrize("codes", [0, 12])
def test_the_entropy_of_the_bound_is_the_students(codes):
    method = made(ERBound, teacher=True, codes=codes, out_dim=16, hidden_dim=32)
    z = found(method)
    assert z["z"].requires_grad
    assert not z["target"].requires_grad
    method.loss(**z)["entropy"].backward()
    assert any(gradients(method.projector))
    assert method.teacher is not None
    assert not any(gradients(method.teacher))
    assert not any(gradients(method.predictor))


def test_the_bound_without_entropy_and_with_a_teacher_rebuilds_as_byol_does():
    method = made(ERBound, teacher=True, out_dim=16, hidden_dim=32, entropy=0.0, kappa=10.0)
    terms = method.loss(**(z := found(method)))
    assert terms["entropy"] == 0
    byol = negative_cosine(z["prediction"], z["target"])
    moved = found(method, seed=2)
    # on directions reconstruction is kappa times BYOL's cosine, but for a constant
    change = total(method.loss(**moved)) - total(terms)
    torch.testing.assert_close(change, 10.0 * (negative_cosine(moved["prediction"], moved["target"]) - byol))


def test_the_teacher_of_the_bound_follows_as_byols_does():
    bound = made(ERBound, teacher=True, momentum=0.5)
    byol = made(BYOL, momentum=0.5)
    assert [k for k, _ in bound.teacher.named_parameters()] == [k for k, _ in byol.teacher.named_parameters()]
    before = [p.clone() for p in bound.teacher.parameters()]
    with torch.no_grad():
        for p in (*bound.encoder.parameters(), *bound.projector.parameters()):
            p.add_(1.0)
    bound.after_step()
    for p, old in zip(bound.teacher.parameters(), before, strict=True):
        torch.testing.assert_close(p, old + 0.5)


def test_the_bound_without_a_teacher_compares_the_views_themselves():
    method = made(ERBound, out_dim=16)
    assert set(found(method)) == {"z"}
    method.after_step()  # nothing to follow


def test_one_code_is_refused():
    with pytest.raises(InputError, match="codes is 0"):
        made(ERBound, codes=1)
