"""Image views: seeds, independence, replay from meta, options, and what happens outside training."""

import inspect
import os
import subprocess
import sys

import pytest
import torch
from torch.testing import assert_close

from anyview.data.batch import Batch
from anyview.errors import InputError
from anyview.views import image, image_pipeline
from anyview.views.image import ImageViews, multi_crop, multi_view, plain_view, two_views, whole
from anyview.views.image_pipeline import ORDERS, ImagePipeline, overlapping, random_boxes


def spec(channels=3, height=32, width=32):
    return {
        "shape": [channels, height, width],
        "mean": [0.4, 0.5, 0.6][:channels],
        "std": [0.2, 0.3, 0.25][:channels],
    }


def batch(count=70, channels=3, height=32, width=32):
    x = torch.randint(
        0,
        256,
        (count, channels, height, width),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(0),
    )
    return Batch(x, torch.arange(count), torch.arange(count) % 5)


ALL = ImagePipeline(24, blur=0.5, solarise=0.3)


def test_views_keep_index_and_label_and_are_channels_last_floats():
    views = two_views(spec())(batch())
    assert len(views) == 2
    for view in views:
        assert view.x.shape == (70, 3, 32, 32)
        assert view.x.dtype == torch.float32
        assert view.x.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(view.index, torch.arange(70))
        assert torch.equal(view.label, torch.arange(70) % 5)
        assert all(len(value) == 70 for value in view.meta.values())


def test_the_seed_repeats_views_and_another_does_not():
    views = ImageViews([(ALL, 2)], [0.5] * 3, [0.25] * 3)
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(views(batch()))
    assert all(torch.equal(a.x, b.x) for a, b in zip(made[0], made[1]))
    assert not torch.equal(made[0][0].x, made[2][0].x)


def test_parameters_differ_between_samples_and_between_views():
    torch.manual_seed(0)
    first, second = two_views(spec(), jitter=1.0)(batch())
    for name in ("box", "brightness", "contrast", "saturation", "hue"):
        assert len(first.meta[name].unique(dim=0)) > 60
        assert not torch.equal(first.meta[name], second.meta[name])
    same = batch()
    same = same.with_x(same.x[:1].expand(70, -1, -1, -1))
    view = two_views(spec())(same)[0]
    assert len(view.x.flatten(1).unique(dim=0)) == 70


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 41), (64, 48)])
def test_a_view_is_made_again_from_its_meta(channels, height, width):
    samples = batch(70, channels, height, width)
    view = ImageViews([(ALL, 1)], [0.0] * channels, [1.0] * channels)(samples)[0]
    assert_close(ALL.apply(samples.x, view.meta), view.x, atol=1e-6, rtol=0)
    # also for a part of the batch in another order, whose groups of colour order are cut anew
    at = torch.randperm(70)[:9]
    part = {name: value[at] for name, value in view.meta.items()}
    assert_close(ALL.apply(samples.x[at], part), view.x[at], atol=1e-5, rtol=0)


def test_views_agree_with_torchvision_image_by_image():
    V = pytest.importorskip("torchvision.transforms.v2.functional")
    x = batch(40, 3, 40, 36).x
    torch.manual_seed(3)
    p = ALL.draw(40, 40, 36)
    views = ALL.apply(x, p)
    for i, done in enumerate(views):
        y = V.resized_crop(x[i] / 255, *p["box"][i].tolist(), [24, 24], antialias=True)
        y = V.horizontal_flip(y) if p["flip"][i] else y
        for name in ORDERS[p["order"][i]]:
            y = getattr(V, f"adjust_{name}")(y, p[name][i].item()) if p["jitter"][i] else y
        y = V.rgb_to_grayscale(y, 3) if p["grayscale"][i] else y
        if p["blur"][i] > 0:
            y = V.gaussian_blur(y, [3, 3], [p["blur"][i].item()] * 2)
        if p["solarise"][i]:
            near = (y - 0.5).abs() < 1e-4  # rounding decides there
            y = torch.where(near, done, V.solarize(y, 0.5))
        assert_close(done, y, atol=1e-4, rtol=0)


def test_chunks_change_nothing_but_the_order_of_colour(monkeypatch):
    x, params = batch().x, ALL.draw(70, 32, 32)
    at_once = ALL.apply(x, params)
    monkeypatch.setitem(image_pipeline.CHUNK, "cpu", 7 * 3 * 24 * 24)
    assert_close(ALL.apply(x, params), at_once, atol=1e-5, rtol=0)
    torch.manual_seed(0)
    assert len(ALL.draw(700, 32, 32)["order"].unique_consecutive()) > 80


def test_uint8_and_float_agree_and_are_left_alone():
    samples = batch(9, 3, 30, 40)
    before = samples.x.clone()
    params = ALL.draw(9, 30, 40)
    as_float = samples.x / 255
    assert_close(ALL.apply(samples.x, params), ALL.apply(as_float, params), atol=1e-5, rtol=0)
    assert torch.equal(samples.x, before)
    assert torch.equal(as_float, before / 255)


def test_one_image_one_channel_and_autocast():
    one = batch(1, 1, 9, 14)
    with torch.autocast("cpu", torch.bfloat16):
        views = two_views(spec(1, 9, 14), blur=1.0, solarise=1.0)(one)
    assert [v.x.shape for v in views] == [(1, 1, 9, 9)] * 2
    assert all(v.x.dtype == torch.float32 and v.x.isfinite().all() for v in views)
    params = {k: views[0].meta[k] for k in views[0].meta}
    assert_close(
        (two_views(spec(1, 9, 14), blur=1.0, solarise=1.0).pipelines[0].apply(one.x, params) - 0.4) / 0.2,
        views[0].x,
        atol=1e-5,
        rtol=0,
    )


def test_probabilities_and_strengths_are_met():
    torch.manual_seed(0)
    p = ImagePipeline(16, blur=0.3, solarise=0.1, grayscale=0.25).draw(20_000, 32, 32)
    shares = {name: (p[name] > 0).float().mean().item() for name in ("flip", "jitter", "grayscale", "blur")}
    expected = {"flip": 0.5, "jitter": 0.8, "grayscale": 0.25, "blur": 0.3}
    assert shares == pytest.approx(expected, abs=0.015)
    still = ~p["jitter"]
    assert (p["brightness"][still] == 1).all()
    assert (p["hue"][still] == 0).all()
    moved = p["brightness"][p["jitter"]]
    assert 0.6 <= moved.min() < 0.61
    assert 1.39 < moved.max() <= 1.4
    assert 0.095 < p["hue"].abs().max() <= 0.1


@pytest.mark.parametrize(("height", "width"), [(32, 32), (50, 21), (8, 90), (1, 1)])
def test_boxes_lie_inside_and_keep_area_and_ratio(height, width):
    torch.manual_seed(0)
    top, left, h, w = random_boxes(2000, height, width, (0.2, 1.0), (3 / 4, 4 / 3)).unbind(1)
    assert (torch.stack([top, left]) >= 0).all()
    assert ((h >= 1) & (w >= 1) & (top + h <= height) & (left + w <= width)).all()
    if min(height, width) > 20:
        area = (h * w) / (height * width)
        assert 0.17 < area.min() < 0.25
        assert (w / h).min() > 0.68
        assert (w / h).max() < 1.45
        assert (top == 0).any()
        assert (top + h == height).any()


def test_boxes_follow_torchvision_in_distribution_and_fallback():
    transforms = pytest.importorskip("torchvision.transforms")
    torch.manual_seed(0)
    image_, ratio = torch.zeros(1, 40, 30), (3 / 4, 4 / 3)
    theirs = torch.tensor(
        [transforms.RandomResizedCrop.get_params(image_, (0.3, 1.0), ratio) for _ in range(2500)]
    )
    ours = random_boxes(2500, 40, 30, (0.3, 1.0), ratio)
    assert_close(ours.float().mean(0), theirs.float().mean(0), atol=0.6, rtol=0)
    assert_close(ours.float().std(0), theirs.float().std(0), atol=0.5, rtol=0)
    # nothing of the whole area fits a strip: the largest allowed crop in the middle is taken
    for shape in ((8, 90), (90, 8)):
        expected = transforms.RandomResizedCrop.get_params(torch.zeros(1, *shape), (1.0, 1.0), ratio)
        assert random_boxes(1, *shape, (1.0, 1.0), ratio)[0].tolist() == list(expected)


def test_two_views_follow_the_papers():
    small, large = two_views(spec()).pipelines[0], two_views(spec(), size=96, strength=1.0).pipelines[0]
    assert (small.size, small.brightness, small.contrast, small.blur) == (32, 0.4, 0.4, 0.0)
    assert (large.size, large.saturation, large.blur) == (96, 0.8, 0.5)
    assert (small.hue, large.hue) == (0.1, 0.2)
    first, second = two_views(spec(), size=96, asymmetric=True).pipelines
    assert (first.blur, first.solarise, second.blur, second.solarise) == (1.0, 0.0, 0.1, 0.2)
    assert (first.brightness, first.contrast, first.saturation, first.hue) == (0.4, 0.4, 0.2, 0.1)
    first, second = two_views(spec(), asymmetric=True).pipelines
    assert (first.blur, second.blur, second.solarise) == (0.0, 0.0, 0.2)


def test_multi_view_multi_crop_and_plain_view():
    samples = batch(5)
    assert [v.x.shape[2] for v in multi_view(spec(), count=3)(samples)] == [32] * 3
    crops = multi_crop(spec())(samples)
    assert [v.x.shape[2] for v in crops] == [32] * 2 + [16] * 6
    area = (crops[4].meta["box"][:, 2] * crops[4].meta["box"][:, 3]) / 32**2
    assert area.max() < 0.3
    assert multi_crop(spec(3, 224, 224)).pipelines[-1].size == 96
    (plain,) = plain_view(spec())(samples)
    for name in ("jitter", "grayscale", "blur", "solarise"):
        assert not plain.meta[name].any()


def test_whole_image_is_resized_and_normalised_only():
    samples = batch(3).x
    mean, std = torch.tensor(spec()["mean"]).view(3, 1, 1), torch.tensor(spec()["std"]).view(3, 1, 1)
    expected = (samples / 255 - mean) / std
    for x in (samples, samples / 255):
        assert_close(whole(x, spec()), expected)
    V = pytest.importorskip("torchvision.transforms.v2.functional")
    wide = batch(3, 3, 40, 50).x
    resized = V.resize(wide / 255, [24, 24], antialias=True)
    assert_close(whole(wide, spec(), size=24), (resized - mean) / std, atol=1e-4, rtol=0)
    flat = {"shape": [1, 4, 4], "mean": [0.5], "std": [0.0]}
    assert whole(torch.rand(2, 1, 4, 4), flat).isfinite().all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flip": 1.5}, "flip is a probability"),
        ({"crop_scale": (0.5, 0.2)}, "crop_scale"),
        ({"crop_scale": (0.0, 1.0)}, "crop_scale"),
        ({"strength": 3.0}, "hue at most 0.5"),
        ({"strength": -0.1}, "at least 0"),
        ({"size": -3}, "size of at least 1"),
    ],
)
def test_options_that_cannot_work_are_named(options, words):
    with pytest.raises(InputError, match=words):
        two_views(spec(), **options)


def test_input_that_is_no_image_is_refused():
    views = two_views(spec())
    with pytest.raises(InputError, match="expected images"):
        views(batch(2, 1))
    with pytest.raises(InputError, match="uint8"):
        views(Batch(torch.zeros(2, 3, 8, 8, dtype=torch.long), torch.arange(2)))
    with pytest.raises(InputError, match="count"):
        multi_view(spec(), count=0)


@pytest.mark.parametrize("factory", [two_views, multi_view, multi_crop, plain_view])
def test_every_option_is_explained(factory):
    for name in inspect.signature(factory).parameters:
        assert f"        {name}: " in factory.__doc__


SPEED = """
import time, torch
torch.set_num_threads(1)
from anyview.data.batch import Batch
from anyview.views.image import two_views
views = two_views({"shape": [3, 32, 32], "mean": [0.5] * 3, "std": [0.25] * 3})
batch = Batch(torch.randint(0, 256, (256, 3, 32, 32), dtype=torch.uint8), torch.arange(256))
best = 1.0
for _ in range(12):
    start = time.process_time(); views(batch); best = min(best, time.process_time() - start)
print(256 / best)
"""


def test_two_views_are_quick_on_one_thread():
    """A loose bound (what is reached on a quiet core is several times this), to catch an operator that
    falls off its quick path."""
    done = subprocess.run(
        [sys.executable, "-c", SPEED], capture_output=True, text=True, check=True, env=os.environ
    )
    assert float(done.stdout) > 2500, f"{float(done.stdout):.0f} images/s"


def test_small_views_are_those_not_blurred():
    assert two_views(spec(), size=image.SMALL).pipelines[0].blur == 0
    assert two_views(spec(), size=image.SMALL + 1).pipelines[0].blur == 0.5


def test_overlapping_crops_keep_their_sizes_inside_the_image_and_share_what_is_asked() -> None:
    scales = ((0.2, 0.6), (0.2, 0.6), (0.05, 0.1))
    boxes = [random_boxes(4000, 40, 50, scale, (3 / 4, 4 / 3)) for scale in scales]
    first, second, third = overlapping(boxes, 40, 50, 0.25)
    assert torch.equal(first, boxes[0])
    start = torch.minimum(first[:, :2], second[:, :2])
    end = torch.maximum(first[:, :2] + first[:, 2:], second[:, :2] + second[:, 2:])
    around = torch.cat([start, end - start], 1)
    for box, drawn, other in ((second, boxes[1], first), (third, boxes[2], around)):
        assert torch.equal(box[:, 2:], drawn[:, 2:])
        assert (box[:, :2] >= 0).all()
        assert (box[:, :2] + box[:, 2:] <= torch.tensor([40, 50])).all()
        low = torch.maximum(box[:, :2], other[:, :2])
        high = torch.minimum(box[:, :2] + box[:, 2:], other[:, :2] + other[:, 2:])
        shorter = torch.minimum(box[:, 2:], other[:, 2:])
        assert ((high - low).clamp_min(0) >= 0.5 * shorter).all()  # of each side, so a quarter of the area
        assert (high - low < shorter).any()  # and no more than drawn


def test_an_overlap_is_a_share() -> None:
    with pytest.raises(InputError, match="share"):
        multi_crop({"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}, overlap=1.5)
