"""Entropies against SciPy and loops, their bounds, and the bound that is InfoNCE."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import ive

from anyview.errors import InputError
from anyview.objectives.contrastive import nt_xent
from anyview.objectives.entropy import (
    er_codes,
    er_sphere,
    i_vne,
    vmf_entropy,
    vmf_log_constant,
    von_neumann_entropy,
)
from anyview.objectives.spectrum import rankme


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(20, 6), (6, 20), (7, 7)])
def test_von_neumann_entropy_by_singular_values(shape):
    z = random(*shape) + 0.5
    values = torch.linalg.svdvals(F.normalize(z, dim=1) / shape[0] ** 0.5).square()
    expected = -(values * values.log()).sum().item()
    assert von_neumann_entropy(z).item() == pytest.approx(expected, abs=1e-9)
    assert 0 <= expected <= math.log(min(shape))
    rotation = torch.linalg.qr(random(shape[1], shape[1], seed=1))[0]
    assert von_neumann_entropy(z @ rotation).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_von_neumann_entropy_of_k_directions_used_alike(k):
    z = torch.eye(8, dtype=torch.float64)[torch.arange(20) % k]
    assert von_neumann_entropy(z).item() == pytest.approx(math.log(k), abs=1e-12)
    # RankMe takes singular values, not their squares: the same number only where they are equal
    assert von_neumann_entropy(z).exp().item() == pytest.approx(rankme(z).item(), abs=1e-3)
    if k > 1:
        assert von_neumann_entropy(z * torch.arange(1, 21)[:, None]).item() == pytest.approx(
            math.log(k), abs=1e-12
        )
    uneven = torch.eye(8, dtype=torch.float64)[torch.tensor([0] * 15 + [1] * 5)]
    assert von_neumann_entropy(uneven).exp().item() < rankme(uneven).item() - 0.05


@pytest.mark.parametrize("shape", [(6, 3), (3, 6)])
def test_von_neumann_gradients_also_where_eigenvalues_are_equal(shape):
    assert torch.autograd.gradcheck(von_neumann_entropy, random(*shape).requires_grad_())
    repeated = (torch.eye(4, dtype=torch.float64)[torch.arange(8) % 4] * 2).requires_grad_()
    assert torch.autograd.gradcheck(von_neumann_entropy, repeated)
    constant = torch.ones(6, 5, requires_grad=True)  # eigenvalues of zero
    von_neumann_entropy(constant).backward()
    assert constant.grad.isfinite().all()
    assert von_neumann_entropy(constant * math.nan).isnan()


def test_i_vne_is_the_formula():
    z = random(4, 9, 5)
    u = F.normalize(z, dim=-1)
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3)]
    near = sum(float((u[i, b] * u[j, b]).sum()) for i, j in pairs for b in range(9)) / (9 * len(pairs))
    spread = sum(von_neumann_entropy(view).item() for view in z) / 4
    terms = i_vne(z, entropy=0.5)
    assert terms["alignment"].item() == pytest.approx(-math.log(9) * near, rel=1e-10)
    assert terms["entropy"].item() == pytest.approx(-0.5 * spread, rel=1e-10)
    assert i_vne(z, 4.16)["alignment"].item() == pytest.approx(-4.16 * near, rel=1e-10)
    assert torch.autograd.gradcheck(lambda z: sum(i_vne(z).values()), random(3, 6, 4).requires_grad_())


@pytest.mark.parametrize("dim", [2, 3, 8, 65, 128, 256])
@pytest.mark.parametrize("kappa", [0.5, 10.0, 100.0])
def test_the_constant_of_a_density(dim, kappa):
    v = dim / 2 - 1
    bessel = ive(v, kappa)
    if bessel < 1e-290:
        pytest.skip("underflows in SciPy")
    expected = v * math.log(kappa) - dim / 2 * math.log(2 * math.pi) - (math.log(bessel) + kappa)
    assert vmf_log_constant(dim, kappa) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_constant_where_the_bessel_function_underflows():
    assert ive(2047, 10.0) == 0
    # kappa small beside the dimension: near the uniform density, one over the surface of the sphere
    surface = math.log(2) + 2048 * math.log(math.pi) - math.lgamma(2048)
    assert vmf_log_constant(4096, 10.0) == pytest.approx(-surface, abs=0.05)


def slow_densities(z, kappa):
    u = F.normalize(z, dim=-1)
    constant = vmf_log_constant(z.shape[1], kappa)
    return torch.stack(
        [
            sum(torch.exp(kappa * u[i] @ u[j] + constant) for j in range(len(u))) / len(u)
            for i in range(len(u))
        ]
    )


@pytest.mark.parametrize("kappa", [2.0, 10.0])
def test_both_estimators_are_their_sums(kappa):
    z = random(9, 4)
    p = slow_densities(z, kappa)
    assert vmf_entropy(z, kappa, "joe").item() == pytest.approx(-p.log().mean().item(), rel=1e-9)
    weighted = -(p / p.sum() * p.log()).sum().item()
    assert vmf_entropy(z, kappa, "plug-in").item() == pytest.approx(weighted, rel=1e-9)
    for estimator in ("joe", "plug-in"):
        assert torch.autograd.gradcheck(
            lambda x, e=estimator: vmf_entropy(x, kappa, e), random(6, 3).requires_grad_()
        )


def test_uniform_points_have_the_logarithm_of_the_surface_and_less_when_concentrated():
    found = [vmf_entropy(random(4000, 3) + shift, 10.0, "joe").item() for shift in (0.0, 0.5, 1.0, 3.0, 10.0)]
    assert found[0] == pytest.approx(math.log(4 * math.pi), abs=0.1)
    assert found == sorted(found, reverse=True)


def test_with_joes_estimator_it_is_info_nce_over_the_same_view():
    z, kappa = random(2, 11, 6), 10.0
    u = F.normalize(z, dim=-1)
    terms = []
    for v in range(2):
        for i in range(11):
            among = sum(torch.exp(kappa * u[v, i] @ u[v, j]) for j in range(11))
            terms.append(torch.log(among) - kappa * u[v, i] @ u[1 - v, i])
    info_nce = torch.stack(terms).mean().item()
    loss = sum(er_sphere(z, z, z, kappa, "joe").values()).item()
    assert loss == pytest.approx(info_nce - math.log(11), abs=1e-6)
    assert abs(loss - nt_xent(z, 1 / kappa).item()) > 0.1  # whose candidates are of both views


def test_er_sphere_keeps_its_three_parts_apart():
    p, t, s = random(2, 7, 4), random(2, 7, 4, seed=1), random(2, 7, 4, seed=2)
    terms = er_sphere(p, t, s, 5.0)
    cosine = F.cosine_similarity(p, t.flip(0), dim=-1).mean()
    assert terms["reconstruction"].item() == pytest.approx(
        -5 * cosine.item() - vmf_log_constant(4, 5.0), rel=1e-9
    )
    spread = (vmf_entropy(s[0], 5.0) + vmf_entropy(s[1], 5.0)) / 2
    assert terms["entropy"].item() == pytest.approx(-spread.item(), rel=1e-9)


def test_er_codes_is_the_formula():
    z, t = random(2, 6, 5), random(2, 6, 5, seed=1)
    p, q = z.softmax(-1), t.softmax(-1)
    r = np.mean([float((q[1 - v, i] * p[v, i].log()).sum()) for v in range(2) for i in range(6)])
    h = np.mean([float(-(p[v].mean(0) * p[v].mean(0).log()).sum()) for v in range(2)])
    terms = er_codes(z, t)
    assert terms["reconstruction"].item() == pytest.approx(-r, rel=1e-10)
    assert terms["entropy"].item() == pytest.approx(-h, rel=1e-10)
    assert torch.autograd.gradcheck(lambda x: sum(er_codes(x, x).values()), random(2, 4, 3).requires_grad_())


def test_codes_used_alike_have_the_most_entropy_and_one_code_none():
    alike = 1e3 * torch.eye(6, dtype=torch.float64)[torch.arange(12) % 6].expand(2, 12, 6)
    assert er_codes(alike, alike)["entropy"].item() == pytest.approx(-math.log(6), abs=1e-9)
    assert er_codes(alike, alike)["reconstruction"].item() == pytest.approx(0, abs=1e-9)
    one = 1e3 * torch.eye(6, dtype=torch.float64)[torch.zeros(12, dtype=torch.int64)].expand(2, 12, 6)
    assert er_codes(one, one)["entropy"].item() == pytest.approx(0, abs=1e-9)
    even = torch.zeros(2, 12, 6, dtype=torch.float64)
    assert er_codes(even, even)["entropy"].item() == pytest.approx(-math.log(6), abs=1e-12)


def test_half_precision_is_computed_in_full():
    z = random(2, 16, 8).bfloat16()
    for objective in (lambda z: er_sphere(z, z, z), lambda z: er_codes(z, z), i_vne):
        for name, value in objective(z).items():
            assert value.dtype == torch.float32
            torch.testing.assert_close(value.double(), objective(z.double())[name], rtol=1e-4, atol=1e-4)


def test_bad_input():
    for objective in (lambda z: er_sphere(z, z, z), lambda z: er_codes(z, z), i_vne):
        with pytest.raises(InputError, match=r"one view|two or more"):
            objective(random(1, 4, 3))
    with pytest.raises(InputError, match="two or more"):
        vmf_entropy(random(1, 3))
    for dim, kappa in ((1, 10.0), (3, 0.0)):
        with pytest.raises(InputError, match="kappa above 0"):
            vmf_log_constant(dim, kappa)
