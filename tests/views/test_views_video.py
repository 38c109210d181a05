"""Views of clips: every frame of a clip gets what the clip got."""

import pytest
import torch
import torch.nn.functional as F

from anyview.data.batch import Batch
from anyview.errors import InputError
from anyview.views import image_ops as ops
from anyview.views import video as v

SPEC = {"shape": [3, 6, 12, 12], "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}


def batch(n=5, shape=(3, 6, 12, 12)):
    return Batch(torch.randint(0, 256, (n, *shape), dtype=torch.uint8), torch.arange(n))


def undo(x):
    mean, std = (torch.tensor(SPEC[k]).view(-1, 1, 1, 1) for k in ("mean", "std"))
    return x * std + mean


def test_all_frames_of_a_clip_are_treated_alike() -> None:
    """A clip of one picture repeated stays one picture repeated, whatever is drawn."""
    still = batch(20, (3, 1, 12, 12)).x.expand(-1, -1, 6, -1, -1)
    for view in v.two_views(SPEC)(Batch(still, torch.arange(20))):
        assert torch.allclose(view.x, view.x[:, :, :1].expand_as(view.x), atol=1e-5)


def test_frames_are_cropped_as_images_are() -> None:
    data = batch()
    (view,) = v.plain_view(SPEC, crop_scale=(0.3, 0.8))(data)
    box, flip = view.meta["box"], view.meta["flip"]
    for t in range(6):
        expected = ops.crop_resize(data.x[:, :, t], box, flip, 12)
        assert torch.allclose(undo(view.x)[:, :, t], expected, atol=1e-5)


def test_colours_are_those_of_the_operators() -> None:
    """Against the operators on the frames of one clip laid side by side, in the order that was drawn."""
    data = batch(4)
    view = v.multi_view(SPEC, count=1, crop_scale=(1.0, 1.0), span=(1.0, 1.0), flip=0.0, jitter=1.0)(data)[0]
    meta = view.meta
    box, still = meta["box"], torch.zeros(1, dtype=torch.bool)
    for i in range(4):
        frames = [ops.crop_resize(data.x[i : i + 1, :, t], box[i : i + 1], still, 12) for t in range(6)]
        x = torch.cat(frames, 3)
        for name in v.ORDERS[int(meta["order"][i])]:
            x = getattr(ops, name)(x, meta[name][i : i + 1])
        if meta["grayscale"][i]:
            x = ops.grayscale(x)
        expected = torch.stack(x.split(12, 3), 2)[0]
        assert torch.allclose(undo(view.x)[i], expected, atol=1e-4)


def test_time_is_cut_and_stretched() -> None:
    start, span = torch.tensor([0.0, 2.0, 4.0]), torch.tensor([8.0, 4.0, 4.0])
    assert v.frame_places(start, span, 4, 8).tolist() == [[1, 3, 5, 7], [2, 3, 4, 5], [4, 5, 6, 7]]
    assert v.frame_places(start[:1], span[:1], 8, 8).tolist() == [list(range(8))]
    ramp = torch.arange(6, dtype=torch.uint8).view(1, 1, 6, 1, 1).expand(200, 3, 6, 12, 12) * 40
    views = v.multi_view(SPEC, count=1, span=(0.4, 1.0), crop_scale=(1.0, 1.0), jitter=0.0, grayscale=0.0)
    shown = (undo(views(Batch(ramp, torch.arange(200)))[0].x)[:, 0, :, 0, 0] * 255 / 40).round()
    assert bool((shown.diff(dim=1) >= 0).all())  # never backwards
    extent = shown[:, -1] - shown[:, 0]
    assert (int(extent.min()), int(extent.max())) == (2, 5)
    assert len(shown[:, 0].unique()) > 2


def test_the_whole_clip_comes_unchanged() -> None:
    x = batch(2).x
    assert torch.allclose(undo(v.whole(x, SPEC)), x / 255, atol=1e-6)
    half = v.whole(x, SPEC | {"shape": [3, 3, 6, 6]})
    expected = F.interpolate(
        (x / 255)[:, :, [1, 3, 5]].flatten(1, 2), (6, 6), mode="bilinear", antialias=True
    ).view(2, 3, 3, 6, 6)
    assert torch.allclose(undo(half), expected, atol=1e-5)


def test_counts_and_shapes() -> None:
    data = batch(3)
    assert [tuple(b.x.shape[1:]) for b in v.two_views(SPEC, size=8, frames=4)(data)] == [(3, 4, 8, 8)] * 2
    shapes = [tuple(b.x.shape[1:]) for b in v.multi_crop(SPEC, local_count=3)(data)]
    assert shapes == [(3, 6, 12, 12)] * 2 + [(3, 3, 6, 6)] * 3
    gray = {"shape": [1, 4, 8, 8], "mean": [0.5], "std": [0.2]}
    assert v.two_views(gray)(batch(2, (1, 4, 8, 8)))[0].x.shape == (2, 1, 4, 8, 8)


def test_samples_differ_and_seeds_repeat() -> None:
    clip = batch(1).x.expand(4, -1, -1, -1, -1)
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        runs.append(v.two_views(SPEC)(Batch(clip, torch.arange(4))))
    assert all(torch.equal(a.x, b.x) for a, b in zip(*runs))
    assert len(runs[0][0].x.unique(dim=0)) == 4
    assert {"box", "flip", "start", "span", "hue"} <= set(runs[0][0].meta)


@pytest.mark.parametrize("options", [{"span": (0.8, 0.2)}, {"frames": -1}, {"flip": 2.0}, {"size": -3}])
def test_options_that_cannot_work(options) -> None:
    with pytest.raises(InputError):
        v.two_views(SPEC, **options)


def test_other_payloads_are_refused() -> None:
    with pytest.raises(InputError, match="expected clips"):
        v.two_views(SPEC)(Batch(torch.zeros(2, 3, 8, 8), torch.arange(2)))
