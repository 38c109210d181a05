"""Criteria of several views against scikit-learn and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import eigh
from scipy.stats import entropy
from sklearn.neighbors import NearestNeighbors

from anyview.errors import InputError
from anyview.objectives import agreement
from anyview.objectives.agreement import knn_consistency, lidar, neighbours


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def two_views(samples=60, dim=8, noise=0.5):
    return random(samples, dim) + noise * random(3, samples, dim, seed=1)


def test_lidar_is_its_formula_by_a_generalised_eigenproblem():
    z = two_views().numpy()
    means = z.mean(0)
    between = np.cov(means.T, bias=True)
    inside = (z - means).reshape(-1, z.shape[-1])
    within = inside.T @ inside / len(inside) + 1e-4 * np.eye(z.shape[-1])
    values = eigh(between, within, eigvals_only=True)
    p = values / values.sum() + 1e-7
    assert lidar(torch.as_tensor(z)).item() == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-6)
    assert lidar(torch.as_tensor(z), eps=0.0).item() == pytest.approx(np.exp(entropy(values)), rel=1e-6)


def test_lidar_does_not_know_the_basis_where_rankme_does():
    """Whitening by the scatter within takes away any linear map, as long as delta is small beside it."""
    z, mix = two_views(), random(8, 8, seed=2)
    assert lidar(z @ mix, delta=1e-12).item() == pytest.approx(lidar(z, delta=1e-12).item(), rel=1e-5)
    assert lidar(z + 5).item() == pytest.approx(lidar(z).item(), rel=1e-6)


def test_lidar_counts_only_directions_that_tell_samples_apart():
    """Ten directions are noise of the views; three hold the samples."""
    z = random(1, 500, 13).repeat(20, 1, 1)
    z[..., 3:] = 0
    z = z + 0.1 * random(20, 500, 13, seed=1)
    assert 2.9 < lidar(z).item() < 3.3
    assert lidar(random(1, 500, 1).expand(2, 500, 1) * random(1, 1, 13)).item() == pytest.approx(1, abs=0.01)


def test_lidar_of_evenly_spread_samples_is_the_dimension():
    left = random(400, 6)
    means = torch.linalg.qr(left - left.mean(0))[0] * 20
    shift = torch.cat([torch.eye(6), -torch.eye(6)]).double()[
        :, None
    ]  # scatter within: the identity by a third
    assert lidar(means + shift).item() == pytest.approx(6, rel=1e-4)


@pytest.mark.parametrize("k", [1, 5, 59, 200])
def test_knn_consistency_is_scikit_learns(k):
    z = two_views()
    count = min(k, 59)

    def near(x):
        search = NearestNeighbors(n_neighbors=count, metric="cosine").fit(x)
        return [set(row) for row in search.kneighbors(return_distance=False)]

    sets = [near(x.numpy()) for x in z]
    shares = [len(a & b) / count for u, v in ((0, 1), (0, 2), (1, 2)) for a, b in zip(sets[u], sets[v])]
    assert knn_consistency(z, k).item() == pytest.approx(np.mean(shares), abs=1e-6)


def test_knn_consistency_limits():
    z = random(400, 16)
    assert knn_consistency(torch.stack([z, z])).item() == 1
    apart = torch.stack([z, random(400, 16, seed=1)])
    assert knn_consistency(apart).item() == pytest.approx(10 / 399, abs=0.01)
    assert knn_consistency(torch.stack([z, 3 * z])).item() == 1
    assert knn_consistency(torch.ones(2, 400, 16)).item() == 0  # agrees on nothing, not on an order of ties


def test_neighbours_do_not_depend_on_blocks_and_direction(monkeypatch):
    unit = torch.nn.functional.normalize(random(50, 6), dim=1)
    whole = neighbours(unit, 7)
    monkeypatch.setattr(agreement, "BLOCK", 120)
    assert torch.equal(neighbours(unit, 7), whole)
    assert torch.equal(neighbours(unit, 7, backwards=True), whole)
    assert not (whole == torch.arange(50)[:, None]).any()


@pytest.mark.parametrize("criterion", [lidar, knn_consistency])
def test_what_cannot_be_compared(criterion):
    with pytest.raises(InputError, match="two views"):
        criterion(random(1, 20, 4))
    broken = two_views()
    broken[1, 3, 2] = torch.inf
    assert math.isnan(criterion(broken).item())
    assert not criterion(two_views().requires_grad_()).requires_grad
