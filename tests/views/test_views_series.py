"""Views of series: what each operator does, alone and on lengths that differ, against slow references."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from anyview.data.batch import Batch, Ragged
from anyview.errors import InputError
from anyview.views import series_ops as ops
from anyview.views.series import SeriesPipeline, multi_crop, multi_view, plain_view, two_views, whole

SPEC = {"channels": 2, "length": 30, "mean": [1.0, -2.0], "std": [2.0, 0.5]}


def ragged(*lengths: int, channels: int = 2) -> Ragged:
    return Ragged.of([torch.randn(n, channels) for n in lengths])


def batch_of(x: Tensor | Ragged) -> Batch:
    return Batch(x, torch.arange(len(x)))


# ---- operators


def test_packing_and_unpacking_undo_each_other() -> None:
    x = torch.randn(5, 3, 11)
    assert torch.equal(ops.unpacked(ops.packed(x), 11), x)


def test_resampling_is_linear_interpolation_at_the_middles_of_equal_parts() -> None:
    x = ragged(9, 20, 13)
    start, span = torch.tensor([0.0, 3.5, 2.0]), torch.tensor([9.0, 10.0, 7.0])
    steps = torch.tensor([17, 6, 21])
    y = ops.resample(x, start, span, steps)
    for one, series, a, s, n in zip(y.unpack(), x.unpack(), start, span, steps):
        at = (float(a) + (np.arange(int(n)) + 0.5) * float(s / n) - 0.5).clip(0, len(series) - 1)
        for channel in range(2):
            wanted = np.interp(at, np.arange(len(series)), series[:, channel].numpy())
            np.testing.assert_allclose(one[:, channel].numpy(), wanted, atol=1e-4)


def test_resampling_a_stretch_to_its_own_length_copies_it() -> None:
    x = ragged(12, 30)
    y = ops.resample(x, torch.tensor([3.0, 11.0]), torch.tensor([5.0, 8.0]), torch.tensor([5, 8]))
    one, two = y.unpack()
    assert torch.allclose(one, x.unpack()[0][3:8], atol=1e-5)
    assert torch.allclose(two, x.unpack()[1][11:19], atol=1e-5)


def test_moments_are_those_of_each_series_alone() -> None:
    x = ragged(7, 1, 40)
    mean, std = ops.moments(x)
    for i, series in enumerate(x.unpack()):
        assert torch.allclose(mean[i], series.mean(0), atol=1e-5)
        assert torch.allclose(std[i], series.std(0, correction=0), atol=1e-4)


def test_permuting_moves_whole_segments() -> None:
    x = Ragged.of([torch.arange(n).float()[:, None] for n in (8, 10)])
    cuts, order = torch.tensor([[0.25, 0.5], [0.3, 0.4]]), torch.tensor([[2, 0, 1], [1, 2, 0]])
    one, two = ops.permute(x, cuts, order).unpack()
    assert one[:, 0].tolist() == [4, 5, 6, 7, 0, 1, 2, 3]
    assert two[:, 0].tolist() == [3, 4, 5, 6, 7, 8, 9, 0, 1, 2]


def test_permuting_keeps_every_step_once() -> None:
    x = Ragged.of([torch.arange(n).float()[:, None] for n in (1, 2, 3, 17, 40)])
    for _ in range(20):
        cuts = torch.rand(5, 3).sort(1).values
        y = ops.permute(x, cuts, torch.rand(5, 4).argsort(1))
        for a, b in zip(x.unpack(), y.unpack()):
            assert torch.equal(b.sort(0).values, a)


def test_hidden_time_is_one_stretch() -> None:
    x = Ragged.of([torch.ones(10, 1), torch.ones(20, 1)])
    y = ops.mask_time(x, torch.tensor([0.2, 0.5]), torch.tensor([0.3, 0.25]))
    one, two = (series[:, 0].tolist() for series in y.unpack())
    assert one == [1, 1, 0, 0, 0, 1, 1, 1, 1, 1]
    assert two == [1] * 10 + [0] * 5 + [1] * 5


def test_a_hidden_band_takes_a_wave_of_that_frequency_and_leaves_another() -> None:
    time = torch.arange(200)
    slow, fast = torch.sin(2 * math.pi * 5 * time / 200), torch.sin(2 * math.pi * 50 * time / 200)
    x = Ragged.of([(3 + slow + fast)[:, None]])  # 50 of at most 100 cycles: half the highest frequency
    y = ops.mask_frequencies(x, torch.tensor([0.4]), torch.tensor([0.2])).values[:, 0]
    assert torch.allclose(y, 3 + slow, atol=1e-4)


def test_no_band_changes_nothing_whatever_the_lengths() -> None:
    x = ragged(5, 17, 30, 1)
    y = ops.mask_frequencies(x, torch.zeros(4), torch.zeros(4))
    assert torch.allclose(y.values, x.values, atol=1e-5)


def test_noise_follows_the_deviation_of_the_channel() -> None:
    x = Ragged.of([torch.randn(4000, 2) * torch.tensor([1.0, 10.0]), torch.full((4000, 2), 5.0)])
    first, second = (
        (y - s).std(0) for y, s in zip(ops.add_noise(x, torch.tensor([0.1, 0.1])).unpack(), x.unpack())
    )
    assert torch.allclose(first, torch.tensor([0.1, 1.0]), rtol=0.1)
    assert torch.allclose(second, torch.tensor([0.001, 0.001]), rtol=0.1)


# ---- views


def test_the_whole_series_has_mean_0_and_deviation_1() -> None:
    x = torch.randn(4, 2, 500) * torch.tensor(SPEC["std"])[:, None] + torch.tensor(SPEC["mean"])[:, None]
    y = whole(x, SPEC)
    assert torch.allclose(y.mean((0, 2)), torch.zeros(2), atol=0.1)
    assert torch.allclose(y.std((0, 2)), torch.ones(2), atol=0.1)
    packed = whole(ops.packed(x), SPEC)
    assert torch.allclose(ops.unpacked(packed, 500), y, atol=1e-6)


def test_a_payload_of_other_channels_is_an_error() -> None:
    with pytest.raises(InputError, match="expected series of 2 channels"):
        whole(torch.randn(4, 3, 9), SPEC)


def test_without_any_change_a_view_is_the_whole_series() -> None:
    for x in (torch.randn(6, 2, 30), ragged(3, 30, 11)):
        pipeline = SeriesPipeline(crop_scale=(1.0, 1.0))
        y = pipeline.apply(x, pipeline.draw(ops.packed(x).length, 2))
        assert torch.allclose(ops.packed(y).values, ops.packed(x).values, atol=1e-5)


@pytest.mark.parametrize("factory", [two_views, multi_view, multi_crop, plain_view])
def test_dense_series_give_dense_views_and_ragged_ones_ragged(factory) -> None:
    views = factory(SPEC)
    dense, lengths = views(batch_of(torch.randn(5, 2, 30))), [7, 30, 12]
    loose = views(batch_of(ragged(*lengths)))
    assert len(dense) == len(loose) == views.count
    for d, r in zip(dense, loose):
        assert isinstance(d.x, Tensor)
        assert isinstance(r.x, Ragged)
        assert d.x.shape[:2] == (5, 2)
        share = d.x.shape[2] / 30
        assert r.x.length.tolist() == [round(share * n) for n in lengths]
        assert torch.isfinite(r.x.values).all()


def test_the_same_draw_gives_the_same_view_dense_or_packed() -> None:
    x = torch.randn(8, 2, 30)
    everything = SeriesPipeline((0.3, 0.9), 1.0, 0.0, 0.2, 1.0, 4, 0.3, 0.3, 0.3)
    params = everything.draw(torch.full((8,), 30), 2)
    dense, packed = everything.apply(x, params), everything.apply(ops.packed(x), params)
    assert torch.allclose(dense, ops.unpacked(packed, 30), atol=1e-5)


def test_a_crop_lies_within_the_series_and_its_share_within_the_range() -> None:
    length = torch.tensor([1, 2, 9, 40, 500]).repeat(50)
    crop = SeriesPipeline((0.2, 0.6)).draw(length, 1)["crop"]
    start, steps = crop.unbind(1)
    assert (start >= 0).all()
    assert (start + steps <= length).all()
    assert (steps >= 1).all()
    long = length == 500
    assert ((steps[long] / 500 >= 0.2 - 1e-3) & (steps[long] / 500 <= 0.6 + 1e-3)).all()
    assert len(start[long].unique()) > 20


def test_a_window_stays_as_long_as_it_is() -> None:
    view, _ = two_views(SPEC, resize=False, jitter=0.0, scale=0.0, frequency_mask=0.0)(
        batch_of(torch.randn(20, 2, 30))
    )
    assert isinstance(view.x, Ragged)
    assert torch.equal(view.x.length, view.meta["crop"][:, 1].long())


def test_parameters_differ_from_sample_to_sample_and_are_kept() -> None:
    (view, other) = two_views(SPEC)(batch_of(torch.randn(16, 2, 30)))
    for name in ("crop", "jitter", "scale", "frequency_mask"):
        assert len(view.meta[name].unique(dim=0)) > 8
        assert not torch.equal(view.meta[name], other.meta[name])


def test_one_channel_always_stays() -> None:
    kept = SeriesPipeline(drop_channel=1.0).draw(torch.full((30,), 9), 4)["channels"]
    assert (kept.sum(1) == 1).all()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"crop_scale": (0.8, 0.2)}, "shares of the length in order"),
        ({"crop_scale": (0.0, 1.0)}, "shares of the length in order"),
        ({"time_mask": 1.5}, "time_mask is a share"),
        ({"permute": -0.1}, "permute is a share"),
        ({"jitter": -1.0}, "jitter and scale are deviations"),
        ({"segments": 1}, "segments to permute are 2 or more"),
    ],
)
def test_options_that_cannot_be(option, message: str) -> None:
    with pytest.raises(InputError, match=message):
        two_views(SPEC, **option)


def test_local_views_have_a_length() -> None:
    with pytest.raises(InputError, match="local_length"):
        multi_crop(SPEC, local_length=0.0)
