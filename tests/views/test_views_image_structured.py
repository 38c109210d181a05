"""Views that share their transformation within groups, and views that tell its strength."""

import pytest
import torch
from torch.testing import assert_close

from anyview.data.batch import Batch
from anyview.errors import InputError
from anyview.views import image_ops as ops
from anyview.views.image import two_views
from anyview.views.image_pipeline import PARAMS, ImagePipeline
from anyview.views.image_structured import ParameterViews, parameter_views, shared_views

SPEC = {"shape": [3, 16, 16], "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}
GREY = {"shape": [1, 14, 14], "mean": [0.3], "std": [0.3]}
PLAIN = {"crop_scale": (1.0, 1.0), "flip": 0.0, "jitter": 0.0, "grayscale": 0.0}


def batch(n=40, spec=SPEC, same=False):
    x = torch.randint(
        0, 256, (n, *spec["shape"]), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    return Batch(x[:1].expand_as(x) if same else x, 100 + torch.arange(n))


def test_two_views_of_their_own_and_two_that_groups_share():
    torch.manual_seed(0)
    views = shared_views(SPEC, group=8)
    assert views.count == 4
    made = views(batch())
    assert len(made) == 4
    group = made[0].meta["group"]
    assert group.tolist() == [100 + i // 8 * 8 for i in range(40)]
    assert all(torch.equal(view.meta["group"], group) for view in made)
    for view in made[2:]:
        for start in range(0, 40, 8):
            for name in PARAMS:
                assert len(view.meta[name][start : start + 8].unique(dim=0)) == 1, name
        assert len(view.meta["box"].unique(dim=0)) > 1
    for view in made[:2]:
        assert len(view.meta["box"].unique(dim=0)) > 30
    assert not torch.equal(made[2].meta["box"], made[3].meta["box"])


def test_one_image_twice_in_a_group_gives_one_view():
    torch.manual_seed(0)
    made = shared_views(SPEC, group=10, jitter=1.0, blur=0.5, solarise=0.5)(batch(same=True))
    for view in made[2:]:
        for part in view.x.split(10):
            assert torch.equal(part, part[:1].expand_as(part))
        assert len(view.x[::10].flatten(1).unique(dim=0)) == 4
    assert len(made[0].x.flatten(1).unique(dim=0)) == 40


def test_groups_take_in_what_does_not_divide_and_a_batch_that_is_too_small():
    sizes = shared_views(SPEC, group=16)(batch(40))[0].meta["group"].unique(return_counts=True)[1]
    assert sizes.tolist() == [20, 20]
    assert shared_views(SPEC, group=16)(batch(5))[0].meta["group"].unique().tolist() == [100]
    with pytest.raises(InputError, match="2 images or more"):
        shared_views(SPEC, group=1)


def test_shared_views_are_repeated_by_a_seed_and_made_again_from_meta():
    views, made = shared_views(SPEC), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(views(batch()))
    assert all(torch.equal(a.x, b.x) for a, b in zip(made[0], made[1]))
    assert not torch.equal(made[0][2].x, made[2][2].x)
    again = views.view(batch(), views.pipelines[0], {name: made[0][2].meta[name] for name in PARAMS})
    assert_close(again.x, made[0][2].x)


def test_a_quarter_turn_is_anticlockwise_and_corners_are_empty():
    x = batch(4).x / 255
    assert_close(ops.rotate(x, torch.full((4,), 0.25)), x.rot90(1, (2, 3)), atol=1e-5, rtol=0)
    assert_close(ops.rotate(x, torch.tensor([0.0, 0.5, -0.5, 0.25]))[0], x[0], atol=1e-5, rtol=0)
    assert_close(ops.rotate(x, torch.full((4,), -0.5)), x.flip(2, 3), atol=1e-5, rtol=0)
    assert ops.rotate(x, torch.full((4,), 0.125))[..., 0, 0].abs().max() == 0
    wide = x[..., :8, :]  # not square: the middle of it turns as a square does
    assert_close(
        ops.rotate(wide, torch.full((4,), 0.25))[..., 2:6, 6:10],
        wide[..., 6:10].rot90(1, (2, 3))[..., 0:4, 2:6],
        atol=1e-4,
        rtol=0,
    )


@pytest.mark.parametrize("spec", [SPEC, GREY])
def test_a_rotation_is_told(spec):
    torch.manual_seed(0)
    views = parameter_views(spec, max_angle=90.0, **PLAIN)
    first, second = views(batch(200, spec))
    plain = two_views(spec, **PLAIN)(batch(200, spec))[0].x
    black = (-torch.tensor(spec["mean"]) / torch.tensor(spec["std"]))[:, None, None]
    for view in (first, second):
        assert_close(view.meta["turn"], (2 * view.meta["parameter"] - 1) * 0.25)
        assert view.meta["parameter"].min() < 0.05 < 0.95 < view.meta["parameter"].max()
        assert_close(view.x, ops.rotate(plain - black, view.meta["turn"]) + black, atol=1e-5, rtol=0)
        assert view.x.is_contiguous(memory_format=torch.channels_last)
    assert not torch.equal(first.meta["parameter"], second.meta["parameter"])
    corner = second.x[(second.meta["turn"].abs() - 0.125).abs() < 0.02][..., 0, 0]
    assert_close(corner, black[:, 0, 0].expand_as(corner), atol=1e-5, rtol=0)


def test_a_crops_share_and_a_hue_are_told():
    torch.manual_seed(0)
    view = parameter_views(SPEC, transformation="crop_scale", crop_scale=(0.3, 0.9))(batch(200))[0]
    share = view.meta["box"][:, 2:].prod(1) / 256
    assert_close(view.meta["parameter"], ((share - 0.3) / 0.6).clamp(0, 1))
    assert view.meta["parameter"].std() > 0.2
    view = parameter_views(SPEC, transformation="hue", jitter=1.0)(batch(200))[0]
    assert_close(view.meta["hue"], 0.2 * (view.meta["parameter"] - 0.5), atol=1e-6, rtol=0)
    assert view.meta["parameter"].std() > 0.2


def test_which_parameters_go_round():
    assert parameter_views(SPEC).cyclic
    assert not parameter_views(SPEC, max_angle=90.0).cyclic
    assert not parameter_views(SPEC, transformation="crop_scale").cyclic
    assert parameter_views(SPEC, transformation="hue", strength=2.5).cyclic
    assert not two_views(SPEC).cyclic


def test_what_tells_nothing_is_refused():
    with pytest.raises(InputError, match="transformation"):
        ParameterViews(ImagePipeline(16), "rotatoin", 180.0, SPEC["mean"], SPEC["std"])
    for angle in (0.0, 181.0):
        with pytest.raises(InputError, match="180 degrees"):
            parameter_views(SPEC, max_angle=angle)
    for options in ({"jitter": 0.0}, {"strength": 0.0}):
        with pytest.raises(InputError, match="hue tells nothing"):
            parameter_views(SPEC, transformation="hue", **options)
    with pytest.raises(InputError, match="hue tells nothing"):
        parameter_views(GREY, transformation="hue")
    with pytest.raises(InputError, match="one size"):
        parameter_views(SPEC, transformation="crop_scale", crop_scale=(0.5, 0.5))
