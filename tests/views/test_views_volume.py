"""Views of volumes are what their parameters say."""

import pytest
import torch
import torch.nn.functional as F

from anyview.data.batch import Batch
from anyview.errors import InputError
from anyview.views import volume as v

SPEC = {"shape": [1, 8, 8, 8], "mean": [0.4], "std": [0.2], "cut": False}


def batch(n=6, shape=(8, 8, 8)):
    return Batch(torch.randint(0, 256, (n, 1, *shape), dtype=torch.uint8), torch.arange(n))


def params(pipeline, n, extent):
    """Parameters of views that change nothing."""
    drawn = pipeline.draw(n, extent)
    size = torch.tensor(extent, dtype=torch.float32).expand(n, 3)
    return drawn | {
        "centre": size / 2,
        "half": size / 2,
        "flip": torch.zeros(n, 3, dtype=torch.bool),
        "quarters": torch.zeros(n, 3, dtype=torch.int64),
        "rotation": torch.eye(3).expand(n, 3, 3),
    }


def mild(shape, **options):
    return v.VolumePipeline(shape, intensity=0.0, noise=0.0, **options)


def test_no_change_is_no_change() -> None:
    pipeline, x = mild((6, 8, 5)), batch(3, (6, 8, 5)).x
    assert torch.allclose(pipeline.apply(x, params(pipeline, 3, (6, 8, 5))), x / 255, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flips_mirror_their_axis(axis: int) -> None:
    pipeline, x = mild((6, 8, 5)), batch(2, (6, 8, 5)).x
    p = params(pipeline, 2, (6, 8, 5))
    p["flip"][1, axis] = True
    y = pipeline.apply(x, p)
    assert torch.allclose(y[0], x[0] / 255, atol=1e-5)
    assert torch.allclose(y[1], x[1].flip(axis + 1) / 255, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_those_of_rot90(axis: int, turns: int) -> None:
    pipeline, x = mild((6, 6, 6)), batch(2, (6, 6, 6)).x
    p = params(pipeline, 2, (6, 6, 6))
    p["quarters"][:, axis] = turns
    y = pipeline.apply(x, p)
    plane = [d + 1 for d in ((axis + 1) % 3, (axis + 2) % 3)]
    ways = [torch.rot90(x[0] / 255, k, plane) for k in (turns, -turns)]
    assert any(torch.allclose(y[0], way, atol=1e-5) for way in ways)


def test_crops_resize_their_box() -> None:
    """Against slicing and interpolation, one sample at a time."""
    pipeline, x = mild((8, 8, 8)), batch(4).x
    p = params(pipeline, 4, (8, 8, 8))
    start, size = torch.tensor([[0, 2, 4], [4, 0, 1], [1, 1, 1], [3, 4, 0]]), 4
    p["centre"], p["half"] = start + size / 2, torch.full((4, 3), size / 2)
    y = pipeline.apply(x, p)
    for i, (a, b, c) in enumerate(start.tolist()):
        inside = x[i : i + 1, :, a : a + size, b : b + size, c : c + size] / 255
        reference = F.interpolate(inside, size=(8, 8, 8), mode="trilinear", align_corners=False)[0]
        # at the rim of the box its neighbours are seen too
        assert torch.allclose(y[i, :, 1:-1, 1:-1, 1:-1], reference[:, 1:-1, 1:-1, 1:-1], atol=1e-4)


def test_small_rotations_are_rotations() -> None:
    turns = v.rotations(50, 0.3)
    assert torch.allclose(turns @ turns.mT, torch.eye(3).expand(50, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(turns), torch.ones(50), atol=1e-5)
    angle = ((turns.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1).acos()
    assert 0.15 < float(angle.max()) <= 0.3 + 1e-3
    assert torch.equal(v.rotations(3, 0.0), torch.eye(3).expand(3, 3, 3))


def test_a_rotation_does_not_shear_where_sides_differ() -> None:
    """A ball stays a ball."""
    d, h, w = 20, 32, 24
    axes = [torch.arange(n) + 0.5 - n / 2 for n in (d, h, w)]
    at = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    ball = torch.exp(-at.square().sum(0) / 18)[None, None]
    pipeline = mild((d, h, w))
    p = params(pipeline, 1, (d, h, w)) | {"rotation": v.rotations(1, 1.5)}
    assert (pipeline.apply(ball, p) - ball).abs().max() < 0.06


def test_what_may_not_be_flipped_is_not() -> None:
    drawn = mild((4, 4, 4), flip=1.0, flip_axes=(2,), quarter_turns=(0,)).draw(40, (4, 4, 4))
    assert drawn["flip"].tolist() == [[False, False, True]] * 40
    assert set(drawn["quarters"][:, 0].tolist()) == {0, 1, 2, 3}
    assert int(drawn["quarters"][:, 1:].max()) == 0


def test_crops_lie_inside_and_have_the_share_asked_for() -> None:
    pipeline = v.VolumePipeline((8, 8, 8), crop_scale=(0.2, 0.5))
    drawn = pipeline.draw(500, (10, 20, 30))
    low, high = drawn["centre"] - drawn["half"], drawn["centre"] + drawn["half"]
    assert float(low.min()) >= -1e-4
    assert bool((high <= torch.tensor([10.0, 20.0, 30.0]) + 1e-4).all())
    share = (2 * drawn["half"] / torch.tensor([10.0, 20.0, 30.0])).prod(1)
    assert 0.2 - 1e-4 <= float(share.min()) < 0.25
    assert 0.45 < float(share.max()) <= 0.5 + 1e-4


def test_samples_differ_seeds_repeat_and_parameters_are_kept() -> None:
    views, data = v.two_views(SPEC), batch()
    torch.manual_seed(1)
    first = views(data)
    torch.manual_seed(1)
    second = views(data)
    assert all(torch.equal(a.x, b.x) for a, b in zip(first, second))
    assert not torch.equal(first[0].x, first[1].x)
    same = Batch(data.x[:1].repeat(4, 1, 1, 1, 1), torch.arange(4))
    assert len(views(same)[0].x.unique(dim=0)) == 4
    assert {"centre", "half", "flip", "rotation", "contrast", "gamma"} <= set(first[0].meta)
    assert all(len(value) == 6 for value in first[0].meta.values())


def test_counts_and_shapes() -> None:
    spec = SPEC | {"shape": [1, 12, 16, 12]}
    data = batch(3, (12, 16, 12))
    assert [tuple(b.x.shape[2:]) for b in v.two_views(spec, size=8)(data)] == [(6, 8, 6)] * 2
    assert len(v.multi_view(spec, count=5)(data)) == 5
    shapes = [tuple(b.x.shape[2:]) for b in v.multi_crop(spec, local_count=3)(data)]
    assert shapes == [(12, 16, 12)] * 2 + [(6, 8, 6)] * 3
    (plain,) = v.plain_view(spec, crop_scale=(1.0, 1.0), flip=0.0)(data)
    assert torch.allclose(plain.x, v.whole(data.x, spec), atol=1e-4)


def test_the_whole_is_normalised_and_reduced_by_area() -> None:
    x = batch(2).x
    y = v.whole(x, SPEC)
    assert torch.allclose(y * 0.2 + 0.4, x / 255, atol=1e-6)
    small = v.whole(x, SPEC, (4, 4, 4))
    assert torch.allclose(small, F.avg_pool3d(y, 2), atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"crop_scale": (0.5, 0.2)}, {"flip": 1.5}, {"flip_axes": (3,)}, {"intensity": 1.0}, {"noise": -1.0}],
)
def test_options_that_cannot_work(options) -> None:
    with pytest.raises(InputError):
        v.two_views(SPEC, **options)


def test_other_payloads_are_refused() -> None:
    with pytest.raises(InputError, match="expected volumes"):
        v.two_views(SPEC)(Batch(torch.zeros(2, 3, 8, 8), torch.arange(2)))
