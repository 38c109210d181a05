"""Spectrum criteria against numpy and scipy, on embeddings whose spectrum is known."""

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from scipy.stats import entropy

from anyview.objectives.spectrum import (
    alpha_req,
    dimension_std,
    eigenvalues,
    participation_ratio,
    rankme,
    spectrum_decay,
    stable_rank,
    weakest_dimension,
)

ALL = [rankme, alpha_req, stable_rank, participation_ratio, spectrum_decay, dimension_std, weakest_dimension]


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def with_spectrum(sigma, samples=200):
    """A centred matrix with these singular values."""
    left = random(samples, len(sigma))
    left = torch.linalg.qr(left - left.mean(0))[0]
    right = torch.linalg.qr(random(len(sigma), len(sigma), seed=1))[0]
    return left * torch.as_tensor(sigma, dtype=torch.float64) @ right


@pytest.mark.parametrize("shape", [(50, 8), (8, 50), (20, 20)])
def test_eigenvalues_are_squared_singular_values(shape):
    z = random(*shape)
    torch.testing.assert_close(eigenvalues(z).sqrt(), torch.linalg.svdvals(z), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 3, 30])
def test_rankme_is_its_formula_on_an_exact_svd(rank):
    z = random(100, rank) @ random(rank, 30, seed=1) + 2.0
    sigma = np.linalg.svd(z.numpy(), compute_uv=False)
    p = sigma / sigma.sum() + 1e-7
    assert rankme(z).item() == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-5)


def test_rankme_is_the_exponential_of_scipys_entropy():
    z = random(100, 16)
    sigma = np.linalg.svd(z.numpy(), compute_uv=False)
    assert rankme(z, eps=0.0).item() == pytest.approx(np.exp(entropy(sigma)), rel=1e-9)


def test_rankme_limits():
    assert rankme(with_spectrum([1.0] * 12)).item() == pytest.approx(12, rel=1e-4)
    line = random(5000, 1) * random(1, 64, seed=1)
    assert 1 <= rankme(line).item() < 1 + 64 * 1e-7 * 40
    assert rankme(line.float()).item() < 1.01
    assert rankme(torch.ones(50, 8)).item() == pytest.approx(1, abs=1e-3)
    assert rankme(torch.zeros(50, 8)).item() == pytest.approx(1, abs=1e-3)


def test_rankme_neither_squares_nor_centres():
    z = with_spectrum([4.0, 2.0, 1.0])
    squared = np.exp(entropy([16.0, 4.0, 1.0]))
    assert abs(rankme(z).item() - squared) > 0.1
    assert abs(rankme(z + 1).item() - rankme(z).item()) > 0.1


@pytest.mark.parametrize("criterion", ALL)
def test_criteria_do_not_know_scale_and_order(criterion):
    z = random(60, 10) * torch.arange(1, 11)
    expected = criterion(z)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    for same in (1000 * z, z[order]):
        torch.testing.assert_close(criterion(same), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("criterion", [rankme, alpha_req, stable_rank, participation_ratio, spectrum_decay])
def test_spectra_do_not_know_rotation(criterion):
    z = random(60, 10) * torch.arange(1, 11)
    rotation = torch.linalg.qr(random(10, 10, seed=1))[0]
    torch.testing.assert_close(criterion(z @ rotation), criterion(z), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dim", [4, 16, 64, 150])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.0])
def test_alpha_req_finds_the_exponent_of_a_power_law(dim, alpha):
    sigma = np.arange(1, dim + 1) ** (-alpha / 2)
    assert alpha_req(with_spectrum(sigma)).item() == pytest.approx(alpha, abs=1e-6)


def test_alpha_req_is_a_weighted_line_over_11_to_100():
    lam = np.sort(np.random.default_rng(0).uniform(0.1, 1, 120))[::-1]
    i = np.arange(11, 101)
    slope = np.polyfit(np.log(i), np.log(lam[10:100]), 1, w=np.sqrt(1 / i))[0]
    assert alpha_req(with_spectrum(np.sqrt(lam))).item() == pytest.approx(-slope, abs=1e-8)


def test_alpha_req_does_not_read_rounding_noise():
    sigma = np.r_[np.arange(1, 21) ** -0.5, np.full(40, 1e-9)]
    assert alpha_req(with_spectrum(sigma)).item() == pytest.approx(1, abs=1e-6)
    assert alpha_req(torch.ones(50, 8)).isnan()


def test_stable_rank_and_participation_ratio():
    z = with_spectrum([2.0, 1.0, 1.0])
    assert stable_rank(z).item() == pytest.approx(6 / 4, rel=1e-9)
    assert participation_ratio(z).item() == pytest.approx(36 / 18, rel=1e-9)
    assert participation_ratio(z + 5).item() == pytest.approx(2, rel=1e-6)
    assert stable_rank(z + 50).item() == pytest.approx(1, abs=0.01)
    assert stable_rank(random(50, 1) * random(1, 8)).item() == pytest.approx(1, rel=1e-9)


def test_spectrum_decay():
    assert spectrum_decay(with_spectrum([1.0] * 8)).item() == pytest.approx(9 / 16, rel=1e-9)
    assert spectrum_decay(with_spectrum([1.0, 0, 0, 0])).item() == pytest.approx(1, rel=1e-9)
    variance = np.sort(np.linalg.eigvalsh(np.cov(random(60, 10).numpy().T)))[::-1]
    expected = np.mean(np.cumsum(variance) / variance.sum())
    assert spectrum_decay(random(60, 10)).item() == pytest.approx(expected, rel=1e-9)
    assert spectrum_decay(torch.ones(50, 8)).isnan()


def test_dimension_std():
    even = random(20000, 64)
    assert dimension_std(even).item() == pytest.approx(1 / 8, rel=0.01)
    assert dimension_std(torch.ones(50, 8)).item() == pytest.approx(0, abs=1e-7)
    unit = torch.nn.functional.normalize(random(50, 8), dim=1).numpy()
    assert dimension_std(random(50, 8)).item() == pytest.approx(unit.std(0, ddof=1).mean(), rel=1e-12)


def test_weakest_dimension():
    z = with_spectrum([1.0, 1.0])
    z = torch.stack([z[:, 0] / z[:, 0].std(), 3 * z[:, 1] / z[:, 1].std()], 1)
    assert weakest_dimension(z).item() == pytest.approx(1 / 2, rel=1e-9)
    z[:, 0] = 4.0
    assert weakest_dimension(z).item() == 0


@pytest.mark.parametrize("criterion", ALL)
def test_half_precision_and_not_finite(criterion):
    z = random(60, 10).bfloat16().requires_grad_()
    got = criterion(z)
    torch.testing.assert_close(got, criterion(z.detach().double()), rtol=0, atol=0)
    assert not got.requires_grad
    broken = random(60, 10)
    broken[3, 3] = torch.inf
    assert criterion(broken).isnan()


@pytest.mark.parametrize("criterion", ALL)
def test_views_are_refused(criterion):
    with pytest.raises(TypeCheckError):
        criterion(random(2, 60, 10))
