"""Wahba's problem: rotations are found again, and what is no rotation leaves something."""

import math

import pytest
import torch
from scipy.stats import ortho_group

from anyview.analysis.rotation import best_rotation
from anyview.errors import InputError


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_rotation_is_found_again():
    x, rotation = random(40, 6), torch.linalg.qr(random(6, 6, seed=1))[0]
    found = best_rotation(x, x @ rotation.T)
    torch.testing.assert_close(found.matrix, rotation, atol=1e-9, rtol=0)
    assert found.residual < 1e-20
    assert found.moved == pytest.approx((x @ rotation.T - x).square().sum(1).mean().item())


def test_no_other_orthogonal_map_is_nearer():
    x, y = random(30, 4), random(30, 4, seed=1)
    found = best_rotation(x, y)
    torch.testing.assert_close(found.matrix @ found.matrix.T, torch.eye(4, dtype=torch.float64))
    direct = sum(float((found.matrix @ a - b).square().sum()) for a, b in zip(x, y)) / 30
    assert found.residual == pytest.approx(direct, rel=1e-10)
    for other in torch.from_numpy(ortho_group.rvs(4, size=300, random_state=0)):
        assert (x @ other.T - y).square().sum(1).mean() >= found.residual
    assert found.residual <= found.moved


def test_the_angle_of_a_turn():
    x = random(50, 2)
    for turn in (0.0, 0.4, 2.0):
        c, s = math.cos(turn), math.sin(turn)
        found = best_rotation(x, x @ torch.tensor([[c, -s], [s, c]], dtype=torch.float64).T)
        assert found.angle == pytest.approx(turn, abs=1e-7)
    assert best_rotation(x, -x).angle == pytest.approx(math.pi)


def test_bad_input():
    with pytest.raises(InputError, match="none"):
        best_rotation(random(0, 3), random(0, 3))
