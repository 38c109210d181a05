"""What is CARE's, DUET's and SIE's own: who shares a transformation, what lies along which axis, which half moves."""

import pytest
import torch

from anyview.data import open as open_data
from anyview.encoders import build
from anyview.encoders.base import Encoder
from anyview.errors import InputError
from anyview.methods.contrastive.simclr import SimCLR
from anyview.methods.equivariant.care import CARE
from anyview.methods.equivariant.duet import DUET
from anyview.methods.equivariant.sie import SIE
from anyview.objectives.alignment import soft_uniformity
from anyview.objectives.contrastive import nt_xent
from anyview.objectives.equivariance import rotation_equivariance
from anyview.views.image_structured import parameter_views, shared_views

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}
BATCH = open_data(torch.randint(0, 255, (12, 3, 16, 16), dtype=torch.uint8)).train.fetch(torch.arange(12))


def encoder():
    return build("convnet-s", (3, 16, 16), width=8)


def test_care_compares_its_own_views_and_turns_those_that_groups_share() -> None:
    method = CARE(encoder(), shared_views(SPEC, group=4), equivariance=2.0).eval()
    views = method.make_views(BATCH)
    found = method(views)
    z = torch.stack([method.projector(method.encoder(view.x)) for view in views])
    torch.testing.assert_close(found["z"], z[:2], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found["shared"], z[2:], atol=1e-5, rtol=1e-4)
    assert found["group"].tolist() == [[0] * 4 + [4] * 4 + [8] * 4]
    terms = method.loss(**found)
    torch.testing.assert_close(terms["contrast"], nt_xent(found["z"], 0.5))
    turned = rotation_equivariance(found["shared"], views[0].meta["group"])
    torch.testing.assert_close(terms["equivariance"], 2 * turned)
    assert turned > 0


def test_care_without_alignment_only_spreads() -> None:
    method = CARE(encoder(), shared_views(SPEC, group=4), align=False).eval()
    found = method(method.make_views(BATCH))
    torch.testing.assert_close(method.loss(**found)["contrast"], soft_uniformity(found["z"], 0.5))


def test_duet_reads_the_encoders_output_as_bins_by_content() -> None:
    method = DUET(encoder(), parameter_views(SPEC), bins=4).eval()
    views = method.make_views(BATCH)
    found, h = method(views), method.encode(views)
    matrix = h.view(2, 12, 4, 8)
    torch.testing.assert_close(found["marginal"], matrix.mean(3))
    torch.testing.assert_close(found["z"][1], method.projector(matrix.sum(2)[1]), atol=1e-5, rtol=1e-4)
    for k in (0, 1):
        assert torch.equal(found["parameter"][k], views[k].meta["parameter"])
    assert method.cyclic
    with pytest.raises(InputError, match="divides"):
        DUET(encoder(), parameter_views(SPEC), bins=5)


def test_duet_without_the_parameter_is_a_step_of_simclr() -> None:
    class Pooled(Encoder):
        """An encoder whose output is the sum over bins."""

        def __init__(self, inner):
            super().__init__()
            self.inner, self.dim = inner, inner.dim // 4

        def forward(self, x):
            return self.inner(x).unflatten(1, (4, -1)).sum(1)

    method = DUET(encoder(), parameter_views(SPEC), bins=4, group=0.0)
    simclr = SimCLR(Pooled(encoder()), method.views, temperature=0.1)
    simclr.encoder.inner.load_state_dict(method.encoder.state_dict())
    simclr.projector = DUET(encoder(), method.views, bins=4).projector
    simclr.projector.load_state_dict(method.projector.state_dict())
    views = method.make_views(BATCH)
    ours, theirs = sum(method.loss(**method(views)).values()), simclr.loss(**simclr(views))
    assert ours.item() == theirs.item()
    ours.backward()
    theirs.backward()
    for a, b in zip(method.parameters(), simclr.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


@pytest.mark.parametrize("predictor", ["hypernetwork", "mlp"])
def test_sie_splits_the_output_and_predicts_the_second_from_the_first(predictor: str) -> None:
    method = SIE(encoder(), parameter_views(SPEC), equivariant_dim=8, predictor=predictor).eval()
    views = method.make_views(BATCH)
    found, h = method(views), method.encode(views)
    assert found["invariant"].shape == (2, 12, 96)  # three quarters of 128
    assert found["equivariant"].shape == (2, 12, 32)
    torch.testing.assert_close(
        found["equivariant"][1], method.moving_expander(h[1, :, 24:]), atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close(
        found["invariant"][1], method.still_expander(h[1, :, :24]), atol=1e-5, rtol=1e-4
    )
    turn = 2 * torch.pi * (views[1].meta["parameter"] - views[0].meta["parameter"])
    g = torch.stack([turn.cos(), turn.sin()], 1)
    torch.testing.assert_close(found["predicted"][0], method.predictor(found["equivariant"][0], g))
    back = method.difference(views[::-1])
    torch.testing.assert_close(back, g * torch.tensor([1.0, -1.0]), atol=1e-6, rtol=0)


def test_sie_a_parameter_with_two_ends_is_a_quarter_of_a_turn() -> None:
    method = SIE(encoder(), parameter_views(SPEC, max_angle=90.0))
    views = method.make_views(BATCH)
    ends = [v.with_x(v.x, parameter=torch.full((12,), float(k))) for k, v in enumerate(views)]
    torch.testing.assert_close(method.difference(ends), torch.tensor([[0.0, 1.0]]).expand(12, 2))
    assert SIE(encoder(), parameter_views(SPEC)).difference(ends)[0].tolist() == pytest.approx(
        [1, 0], abs=1e-6
    )


def test_sie_bad_input() -> None:
    for dim in (0, 32):
        with pytest.raises(InputError, match="in two"):
            SIE(encoder(), parameter_views(SPEC), equivariant_dim=dim)
    with pytest.raises(InputError, match="predictor"):
        SIE(encoder(), parameter_views(SPEC), predictor="hypernet")
