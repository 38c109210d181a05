"""The identity between contrastive and non-contrastive criteria, on random and on real embeddings."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

from anyview.analysis.duality import criteria
from anyview.data import open as open_data
from anyview.encoders import build
from anyview.modalities import modality


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(30, 8), (8, 30), (1500, 20)])
def test_criteria_are_their_sums_and_the_identity_holds(shape):
    z = random(*shape)
    found = criteria(z)
    gram, cov = z @ z.T, z.T @ z
    assert found.contrastive == pytest.approx(
        (gram - gram.diagonal().diag()).square().sum().item(), rel=1e-12
    )
    assert found.non_contrastive == pytest.approx(
        (cov - cov.diagonal().diag()).square().sum().item(), rel=1e-12
    )
    assert abs(found.residual) < 1e-10 * (found.contrastive + found.sample_norms)


def test_the_identity_holds_for_a_network_on_digits():
    x = torch.from_numpy(load_digits().images[:200] * 15).to(torch.uint8)[:, None]
    data = open_data(x)
    encoder = build("convnet-s", (1, 8, 8), width=8).eval()
    with torch.no_grad():
        z = encoder(modality("image").inputs(x, data.train.spec))
    found = criteria(z)
    assert found.contrastive > 1
    assert abs(found.residual) < 1e-10 * (found.contrastive + found.sample_norms)


def test_doubly_normalised_they_differ_by_a_constant():
    n, m = 24, 6
    z = F.normalize(random(n, m), dim=1)
    for _ in range(2000):  # samples of length 1, dimensions of equal length
        z = F.normalize(z / z.norm(dim=0, keepdim=True) * (n / m) ** 0.5, dim=1)
    found = criteria(z)
    assert found.non_contrastive == pytest.approx(found.contrastive + n - n**2 / m, rel=1e-8)


def test_with_unit_samples_their_gradients_differ_by_the_norms_of_dimensions_alone():
    z = F.normalize(random(12, 5), dim=1).requires_grad_()

    def off(x):
        gram = x @ x.T
        return (gram - gram.diagonal().diag()).square().sum()

    lc, lnc = (torch.autograd.grad(off(x), z)[0] for x in (z, z.T))
    samples, dimensions = (torch.autograd.grad(x.square().sum(1).square().sum(), z)[0] for x in (z, z.T))
    torch.testing.assert_close(lnc - lc, samples - dimensions)
    along = F.normalize(z.detach(), dim=1)

    def tangent(g):  # what is left when samples keep their length
        return g - (g * along).sum(1, keepdim=True) * along

    torch.testing.assert_close(tangent(lnc - lc), -tangent(dimensions))
