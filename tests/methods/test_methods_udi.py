"""What is UDI's own: which patches are drawn, what the second class token learns, three centres."""

import pytest
import torch

from anyview.data import open as open_data
from anyview.encoders import build
from anyview.encoders.correspondence import crops, in_crop, in_image
from anyview.encoders.positions import grid
from anyview.errors import InputError
from anyview.methods.distillation.udi import UDI, cut
from anyview.objectives.distillation import distillation, masked_distillation
from anyview.training.step import seed_step
from anyview.views.image import multi_crop

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}
BATCH = open_data(torch.randint(0, 255, (6, 3, 16, 16), dtype=torch.uint8)).train.fetch(torch.arange(6))
SHAPE = {"hidden_dim": 32, "bottleneck_dim": 8, "out_dim": 20}
NETWORK = {"name": "vit-nano", "input": (3, 16, 16), "pool": "cls", "registers": 1, "patch": 2}


def network(**options):
    given = NETWORK | options
    return build(given.pop("name"), given.pop("input"), **given)


def udi(local_count: int = 2, **options) -> UDI:
    views = multi_crop(SPEC, local_count=local_count, overlap=0.25)
    return UDI(network(), views, **SHAPE, **options)


def found_by(method: UDI) -> dict[str, torch.Tensor]:
    seed_step(0, 0)
    return method(method.make_views(BATCH))


def test_one_patch_of_each_window_and_pairs_of_crops() -> None:
    found = found_by(udi())
    assert found["student"].shape == (4, 6, 20)
    assert (
        found["second"].shape == found["second_teacher"].shape == (6, 6, 20)
    )  # 2 teachers with 3 others each
    assert (
        found["patches"].shape == found["patches_teacher"].shape == (6, 2 * 9, 20)
    )  # 8 x 8 patches by threes
    assert found["valid"].shape == (6, 18)
    assert found["valid"].any(1).all()
    assert not found["second_teacher"].requires_grad
    assert not found["patches_teacher"].requires_grad


def test_the_same_crop_twice_gives_students_and_teachers_the_same_patches() -> None:
    method = udi(local_count=0).eval()
    view = method.make_views(BATCH)[0]
    found = method([view, view])
    assert found["valid"].all()
    torch.testing.assert_close(found["patches"], found["patches_teacher"])
    mirrored = view.with_x(view.x.flip(3), flip=~view.meta["flip"])
    assert method([view, mirrored])["valid"].all()
    coords = grid((8, 8)).expand(6, -1, -1)
    one, other = crops(method.encoder, [cut(mirrored), cut(view)])
    at, _ = in_crop(in_image(coords, *one.frame), *other.frame)
    torch.testing.assert_close(at[..., 0], coords[..., 0])
    torch.testing.assert_close(at[..., 1], 7 - coords[..., 1])


def test_without_patches_the_second_token_learns_the_targets_of_the_first_and_the_crops_are_dinos() -> None:
    method = udi(alpha=0.0, patch_weight=0.0).eval()
    found = found_by(method)
    torch.testing.assert_close(found["second_teacher"][:, :3], found["teacher"][0][:, None].expand(-1, 3, -1))
    torch.testing.assert_close(found["second_teacher"][:, 3:], found["teacher"][1][:, None].expand(-1, 3, -1))
    terms = method.loss(**found)
    dinos = distillation(found["student"], (found["teacher"] / 0.04).softmax(-1), 0.1)
    torch.testing.assert_close(3 * terms["crops"], dinos)
    assert terms["patches"] == 0


def test_the_second_target_blends_logits_of_patches_that_both_crops_show() -> None:
    one, two, three = (udi(local_count=0, alpha=a) for a in (1.0, 0.5, 0.0))
    for other in (two, three):
        other.load_state_dict(one.state_dict())
    a, b, c = (found_by(m.eval())["second_teacher"] for m in (one, two, three))
    torch.testing.assert_close(b, (a + c) / 2)
    found = found_by(one)
    named, valid = found["patches_teacher"].unflatten(1, (2, 9)), found["valid"].unflatten(1, (2, 9))
    mean = (named * valid[..., None]).sum(2) / valid.sum(2, keepdim=True)
    torch.testing.assert_close(a, mean)


def test_places_outside_the_overlap_count_for_nothing() -> None:
    method = udi().eval()
    found = found_by(method)
    assert not found["valid"].all()
    terms = method.loss(**found)
    poisoned = found["patches"].masked_fill(~found["valid"][..., None], float("nan"))
    torch.testing.assert_close(method.loss(**(found | {"patches": poisoned}))["patches"], terms["patches"])
    target = (found["patches_teacher"] / 0.04).softmax(-1)
    expected = masked_distillation(found["patches"], target, found["valid"], 0.1)
    torch.testing.assert_close(3 * terms["patches"], expected)


def test_crops_that_nowhere_overlap_have_the_teachers_own_target() -> None:
    method = udi(local_count=0).eval()
    views = method.make_views(BATCH)
    corners = [torch.tensor([[at, at, 6, 6]]).expand(6, -1) for at in (0, 10)]
    apart = [v.with_x(v.x, box=box) for v, box in zip(views, corners)]
    found = method(apart)
    assert not found["valid"].any()
    torch.testing.assert_close(found["second_teacher"], found["teacher"].transpose(0, 1))
    assert method.loss(**found)["patches"] == 0


def test_three_centres_and_a_teacher_of_all_that_is_averaged() -> None:
    method = udi(momentum=0.0)
    found = found_by(method)
    method.loss(**found)
    with torch.no_grad():
        for p in method.parameters():
            p.add_(torch.rand_like(p))
    method.after_step()
    for centre, logits in (
        (method.centre, found["teacher"].flatten(0, 1)),
        (method.second_centre, found["second_teacher"].flatten(0, 1)),
        (method.patch_centre, found["patches_teacher"][found["valid"]]),
    ):
        torch.testing.assert_close(centre.value, 0.1 * logits.mean(0))
    mine, theirs = method.averaged(), method.teacher.module
    assert any(p is method.gathering.norm.weight for p in mine.parameters())
    for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"registers": 0}, "two class tokens"),
        ({"pool": "mean"}, "two class tokens"),
        ({"name": "convnet-s", "width": 8}, "transformer"),
    ],
)
def test_udi_says_which_encoder_it_needs(options: dict, message: str) -> None:
    given = NETWORK | options
    if given["name"] == "convnet-s":
        given = {k: given[k] for k in ("name", "input", "width")}
    encoder = build(given.pop("name"), given.pop("input"), **given)
    with pytest.raises(InputError, match=message):
        UDI(encoder, multi_crop(SPEC))
