"""DIET, PIRL and AMDIM: which sample is named, what a memory is changed by, which parts are compared."""

import math

import pytest
import torch
import torch.nn.functional as F

from anyview.data import open as open_data
from anyview.encoders import build
from anyview.errors import InputError
from anyview.methods.contrastive.amdim import AMDIM
from anyview.methods.contrastive.diet import DIET
from anyview.methods.contrastive.pirl import PIRL
from anyview.objectives.noise import nce
from anyview.objectives.parts import part_nce
from anyview.training.plan import make_plan
from anyview.views.image import multi_view, two_views
from anyview.views.image_jigsaw import jigsaw

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}
DATA = open_data(torch.randint(0, 255, (40, 3, 16, 16), dtype=torch.uint8))
PICK = torch.tensor([31, 4, 17, 22, 9, 38])
BATCH = DATA.train.fetch(PICK)


def diet(**options) -> DIET:
    encoder = build("convnet-s", (3, 16, 16))
    return DIET(encoder, multi_view(SPEC, count=1), **({"samples": 40} | options))


def pirl(**options) -> PIRL:
    encoder = build("convnet-s", (3, 16, 16), width=8)
    return PIRL(encoder, jigsaw(SPEC), **({"samples": 40, "out_dim": 12} | options))


def amdim(**options) -> AMDIM:
    return AMDIM(build("localnet-s", (3, 16, 16), width=8), two_views(SPEC, shared_flip=True), **options)


def test_diet_names_the_place_of_a_sample_whatever_the_order():
    method = diet(smoothing=0.0).eval()
    found = method(method.make_views(BATCH))
    assert torch.equal(found["index"], PICK)
    logits = found["h"][0] @ method.classes.weight.T
    torch.testing.assert_close(method.loss(**found), F.cross_entropy(logits, PICK))
    assert method.classes.bias is None


def test_diet_starts_at_the_logarithm_of_the_number_of_samples():
    method = diet(samples=2000)
    assert float(method.loss(**method(method.make_views(BATCH))).detach()) == pytest.approx(
        math.log(2000), abs=0.1
    )


def test_diet_has_one_view_and_a_class_for_each_sample_of_the_data():
    plan = make_plan("diet", DATA)
    assert plan.method.views.count == 1
    assert plan.method.classes.weight.shape == (40, plan.method.encoder.dim)
    with pytest.raises(InputError, match="diet keeps a vector for each sample"):
        diet(samples=None)
    method = diet(samples=20)
    with pytest.raises(InputError, match="sample 38 is beyond the 20"):
        method(method.make_views(BATCH))


def test_a_memory_is_changed_by_images_never_by_puzzles():
    method = pirl(momentum=0.0)
    before = method.bank.values.clone()
    found = method(method.make_views(BATCH))
    method.loss(**found)
    assert torch.equal(method.bank.values, before)  # the loss meets the entries of before
    method.after_step()
    torch.testing.assert_close(method.bank.values[PICK], F.normalize(found["image"][0].detach(), dim=1))
    rest = torch.ones(40, dtype=torch.bool)
    rest[PICK] = False
    assert torch.equal(method.bank.values[rest], before[rest])


@pytest.mark.parametrize("contrast", ["nce", "info_nce"])
def test_both_terms_look_for_the_entry_of_the_image(contrast):
    method = pirl(lam=0.3, negatives=25, contrast=contrast).eval()
    found = method(method.make_views(BATCH))
    drawn = method.bank.draw(25, 0)
    own = torch.tensor([(drawn == i).nonzero()[0, 0] if (drawn == i).any() else -1 for i in PICK])
    assert -1 in own
    assert own.max() >= 0
    memory = method.bank.values
    puzzle, image = (
        nce(found[k][0], memory[PICK], memory[drawn], own, 0.07, contrast == "nce")
        for k in ("puzzle", "image")
    )
    terms = method.loss(**found)
    torch.testing.assert_close(terms["puzzle"], 0.3 * puzzle)
    torch.testing.assert_close(terms["image"], 0.7 * image)
    method.after_step()
    assert not torch.equal(method.bank.draw(25, int(method.steps)), drawn)


def test_without_puzzles_it_is_instance_discrimination_by_a_memory():
    """NPID as a softmax over all entries."""
    method = pirl(lam=0.0, contrast="info_nce").eval()
    found = method(method.make_views(BATCH))
    logits = F.normalize(found["image"][0], dim=1) @ method.bank.values.T / 0.07
    terms = method.loss(**found)
    torch.testing.assert_close(sum(terms.values()), F.cross_entropy(logits, PICK))


def test_every_patch_is_embedded_alone():
    method = pirl().eval()
    patches = method.make_views(BATCH)[1].x
    each = [method.patch_head(method.encoder(patches[:, k])) for k in range(9)]
    torch.testing.assert_close(
        method.puzzle(patches), method.puzzle_head(torch.cat(each, 1)), atol=1e-5, rtol=1e-4
    )
    assert method.puzzle_head.in_features == 9 * 12


def test_batch_norms_of_the_encoder_count_images_and_no_puzzles():
    method, images = pirl().train(), pirl().train()
    images.load_state_dict(method.state_dict())
    views = method.make_views(BATCH)
    method(views)
    images.encoder(views[0].x)
    torch.testing.assert_close(method.encoder.state_dict(), images.encoder.state_dict(), rtol=0, atol=0)


def test_amdim_compares_three_pairs_of_scales_both_ways():
    method = amdim().eval()
    views = method.make_views(BATCH)
    found = method(views)
    assert {k: tuple(v.shape) for k, v in found.items()} == {
        "whole": (2, 6, 32),
        "fine": (2, 6, 49, 32),
        "coarse": (2, 6, 25, 32),
    }
    torch.testing.assert_close(found["whole"][1], method.encoder(views[1].x))
    part = method.one_place(found["coarse"])
    sources = {"whole_coarse": "whole", "whole_fine": "whole", "coarse_coarse": "coarse"}
    terms, squares = method.loss(**found), 0.0
    for name, source in sources.items():
        a, b = part if source == "coarse" else found["whole"]
        first, second = found[name.split("_")[1]]
        there, back = part_nce(a, second), part_nce(b, first)
        torch.testing.assert_close(terms[name], (there[0] + back[0]) / 2)
        squares = squares + (there[1] + back[1]) / 2
    torch.testing.assert_close(terms["penalty"], 0.05 * squares)


def test_amdim_takes_one_place_of_each_map_and_others_at_the_next_step():
    method = amdim()
    maps = torch.arange(2 * 300 * 25.0).view(2, 300, 25, 1)
    place = method.one_place(maps)[..., 0] - maps[:, :, 0, 0]
    assert place.min() == 0
    assert place.max() == 24
    assert not torch.equal(place[0], place[1])
    assert torch.equal(place, method.one_place(maps)[..., 0] - maps[:, :, 0, 0])
    method.after_step()
    assert not torch.equal(place, method.one_place(maps)[..., 0] - maps[:, :, 0, 0])


@pytest.mark.parametrize(("compare", "terms"), [("coarse", "whole_coarse"), ("whole", "whole_whole")])
def test_amdim_ablations_leave_scales_out(compare, terms):
    method = amdim(compare=compare)
    found = method.loss(**method(method.make_views(BATCH)))
    assert set(found) == {terms, "penalty"}
    sum(found.values()).backward()
    assert all(p.grad is not None for p in method.parameters())


@pytest.mark.parametrize("lam", [-0.1, 2.0, float("nan")])
def test_pirl_takes_no_weight_that_is_no_share(lam):
    with pytest.raises(InputError, match="lam is a share, 0 to 1, not"):
        pirl(lam=lam)


def test_amdim_mirrors_both_views_or_none_and_wants_cells_that_see_parts():
    plan = make_plan("amdim", DATA)
    first, second = plan.method.make_views(BATCH)
    assert torch.equal(first.meta["flip"], second.meta["flip"])
    assert plan.method.encoder.config["name"] == "localnet-s"
    with pytest.raises(InputError, match=r"every part of resnet18 sees beyond itself.*localnet-s"):
        make_plan("amdim", DATA, encoder="resnet18")
