"""What is DINO's and iBOT's own: who sees which crop, warm-ups, the held layer, two centres."""

import pytest
import torch
import torch.nn.functional as F

from anyview.data import open as open_data
from anyview.encoders import build
from anyview.errors import InputError
from anyview.methods.distillation.dino import DINO
from anyview.methods.distillation.ibot import IBOT
from anyview.objectives.distillation import distillation, masked_distillation
from anyview.training.optim import build_optimizer
from anyview.training.options import OptimizerOptions
from anyview.training.step import cached_step, plain_step, seed_step
from anyview.views.image import multi_crop

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}
BATCH = open_data(torch.randint(0, 255, (6, 3, 16, 16), dtype=torch.uint8)).train.fetch(torch.arange(6))
SHAPE = {"hidden_dim": 32, "bottleneck_dim": 8, "out_dim": 20}


def dino(encoder="convnet-s", local_count=2, **options) -> DINO:
    network = build(encoder, (3, 16, 16), **({"width": 8} if encoder == "convnet-s" else {}))
    return DINO(network, multi_crop(SPEC, local_count=local_count), **SHAPE, **options)


def ibot(local_count=2, **options) -> IBOT:
    network = build("vit-nano", (3, 16, 16), pool="cls")
    return IBOT(network, multi_crop(SPEC, local_count=local_count), **SHAPE, **options)


def test_the_teacher_sees_large_crops_alone_and_gets_no_gradient() -> None:
    method = dino().eval()
    views = method.make_views(BATCH)
    found = method(views)
    assert found["student"].shape == (4, 6, 20)
    assert found["teacher"].shape == (2, 6, 20)
    for v in range(2):
        torch.testing.assert_close(found["teacher"][v], method.teacher(views[v].x))
    assert not found["teacher"].requires_grad
    torch.testing.assert_close(
        method.loss(**found), distillation(found["student"], (found["teacher"] / 0.04).softmax(-1), 0.1)
    )


def test_a_batch_moves_the_centre_after_its_step_and_chunks_move_it_alike() -> None:
    centres = []
    for step in (plain_step, lambda *a: cached_step(*a, chunk=4)):
        torch.manual_seed(0)
        method = dino("vit-nano")
        seed_step(0, 0)
        views = method.make_views(BATCH)
        with torch.no_grad():
            expected = 0.1 * method(views)["teacher"].flatten(0, 1).mean(0)
        step(method, views, lambda loss: loss.backward())
        assert (method.centre.value == 0).all()
        method.after_step()
        torch.testing.assert_close(method.centre.value, expected)
        centres.append(method.centre.value)
    torch.testing.assert_close(*centres)


def test_the_teacher_temperature_warms_up() -> None:
    method = dino(start_temperature=0.04, teacher_temperature=0.07, temperature_warmup=0.5)
    found = []
    for method.progress in (0.0, 0.25, 0.5, 1.0):
        found.append(method.sharpness())
    assert found == pytest.approx([0.04, 0.055, 0.07, 0.07])
    assert dino(teacher_temperature=0.06, temperature_warmup=0.0).sharpness() == 0.06


def test_the_last_layer_is_held_at_first_also_against_decay() -> None:
    method = dino(held=0.5)
    optimizer = build_optimizer(method, OptimizerOptions(lr=0.1, weight_decay=0.1), 256)
    for progress, moves in ((0.0, False), (0.6, True)):
        method.progress = progress
        directions = F.normalize(method.head.prototypes.weight.detach(), dim=1)
        inner = method.head.mlp[0].weight.detach().clone()
        plain_step(method, method.make_views(BATCH), lambda loss: loss.backward())
        optimizer.step()
        optimizer.zero_grad()
        now = F.normalize(method.head.prototypes.weight.detach(), dim=1)
        assert (not torch.allclose(now, directions, atol=1e-6)) == moves
        assert not torch.equal(inner, method.head.mlp[0].weight)


def test_batch_norm_in_the_head_follows_the_encoder() -> None:
    def norms(method: DINO) -> int:
        return sum(isinstance(m, torch.nn.BatchNorm1d) for m in method.head.modules())

    assert norms(dino()) == 2
    assert norms(dino("vit-nano")) == norms(dino(norm="none")) == 0


def test_prototypes_scale_with_the_data() -> None:
    assert DINO.scaled(1_281_167, 1024)["out_dim"] == pytest.approx(65536, rel=0.03)
    assert IBOT.scaled(1_281_167, 1024)["out_dim"] == 8192
    assert DINO.scaled(2_000, 64)["out_dim"] == IBOT.scaled(2_000, 64)["out_dim"] == 512


@pytest.mark.parametrize("local_count", [0, 2])
def test_ibot_hides_patches_from_the_student_alone(local_count: int) -> None:
    method = ibot(local_count, mask_chance=1.0).eval()
    seed_step(0, 0)
    views = method.make_views(BATCH)
    found = method(views)
    teacher, head, patch_head = method.teacher.module
    for v in range(2):
        vector, _, tokens = teacher.parts(views[v].x)
        torch.testing.assert_close(found["teacher"][v], head(vector))
        named = patch_head(tokens.values)
        torch.testing.assert_close(found["patches_mean"].unflatten(0, (2, 6))[v], named.mean(1))
        for row, real, seen in zip(
            found["patches_teacher"].unflatten(0, (2, 6))[v], found["valid"].unflatten(0, (2, 6))[v], named
        ):
            assert 1 <= real.sum() <= 10  # a tenth to a half of 16, as near as whole blocks come
            assert (torch.cdist(row[real], seen).amin(1) < 1e-5).all()
    assert found["student"].shape == (2 + local_count, 6, 20)
    whole = method.student(views[0].x)
    assert not torch.allclose(found["student"][0], whole, atol=1e-4)  # it saw a masked crop
    terms = method.loss(**found)
    crops = distillation(found["student"], (found["teacher"] / 0.04).softmax(-1), 0.1)
    patches = masked_distillation(
        found["patches"], (found["patches_teacher"] / 0.04).softmax(-1), found["valid"], 0.1
    )
    torch.testing.assert_close(terms["crops"], crops)
    torch.testing.assert_close(terms["patches"], patches)


def test_ibot_without_masks_is_dino() -> None:
    method = ibot(mask_chance=0.0).eval()
    views = method.make_views(BATCH)
    terms = method.loss(**method(views))
    assert terms["patches"] == 0
    student, teacher = method.encode(views, method.student), method.encode(views[:2], method.student)
    torch.testing.assert_close(terms["crops"], distillation(student, (teacher / 0.04).softmax(-1), 0.1))


def test_the_centre_of_patches_is_the_mean_over_samples_of_all_their_patches() -> None:
    method = ibot()
    found = method(method.make_views(BATCH))
    method.loss(**found)
    method.after_step()
    torch.testing.assert_close(method.patch_centre.value, 0.1 * found["patches_mean"].mean(0))
    torch.testing.assert_close(method.centre.value, 0.1 * found["teacher"].flatten(0, 1).mean(0))


@pytest.mark.parametrize("shared", [True, False])
def test_one_head_or_two_and_the_teacher_follows_all_of_them(shared: bool) -> None:
    method = ibot(shared_head=shared, momentum=0.0)
    assert (method.patch_head is method.head) == shared
    with torch.no_grad():
        for p in method.parameters():
            p.add_(torch.rand_like(p))
    method.after_step()
    for mine, theirs in zip(method.averaged().parameters(), method.teacher.module.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_ibot_needs_an_encoder_that_hides_tokens() -> None:
    with pytest.raises(InputError, match="transformer"):
        IBOT(build("convnet-s", (3, 16, 16), width=8), multi_crop(SPEC))
