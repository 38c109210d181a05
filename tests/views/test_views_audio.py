"""Views of audio: what each operator does to each sample, and that draws are per sample."""

import pytest
import torch

from anyview.data.audio.logmel import LEVEL, waveforms
from anyview.data.batch import Batch, Ragged
from anyview.errors import InputError
from anyview.views.audio import (
    AudioViews,
    Recipe,
    hide,
    multi_crop,
    multi_view,
    plain_view,
    two_views,
)

RATE = 8000
SPEC = {"rate": RATE, "mels": 40}


def batch(*lengths: int, wave=None) -> Batch:
    """Recordings at the level that views bring them to, so that it is no change."""
    waves = [wave(n) if wave else torch.randn(n) * 0.1 for n in lengths]
    return Batch(waveforms(Ragged.of(waves)), torch.arange(len(lengths)))


def view(x: Batch, **options) -> Batch:
    return AudioViews(RATE, [(Recipe(**options), 1)])(x)[0]


def test_nothing_asked_for_leaves_the_recording_as_it_is():
    x = batch(100, 4000, 900)
    out = view(x, crop=(1.0, 1.0))
    torch.testing.assert_close(out.x.values, x.x.values)
    assert torch.equal(out.x.length, x.x.length)


def test_crops_are_pieces_at_the_places_they_say():
    x = batch(*[2000 + 100 * i for i in range(40)])
    out = view(x, crop=(0.3, 0.7))
    start, taken = out.meta["start"], out.meta["taken"]
    for i, (piece, whole) in enumerate(zip(out.x.unpack(), x.x.unpack())):
        torch.testing.assert_close(piece, whole[start[i] : start[i] + taken[i]])
    share = taken / x.x.length
    assert share.min() >= 0.299
    assert share.max() <= 0.7
    assert share.std() > 0.05  # drawn for each sample
    assert ((start / (x.x.length - taken)) > 0.5).float().mean().sub(0.5).abs() < 0.3


def test_long_recordings_are_cut_and_short_ones_kept_whole():
    out = view(batch(5, 150, 90_000), crop=(0.1, 0.2), longest=0.5)
    assert out.x.length.tolist() == [5, 150, 4000]


@pytest.mark.parametrize("factor", [0.2, 0.4])
def test_speed_moves_pitch_and_length(factor: float):
    def tone(n: int) -> torch.Tensor:
        return torch.sin(2 * torch.pi * 440 * torch.arange(n) / RATE)

    x = batch(*[8000] * 12, wave=tone)
    out = view(x, crop=(1.0, 1.0), speed=factor)
    speed = out.meta["speed"]
    assert speed.log().abs().max() <= factor + 1e-6
    assert speed.std() > 0.02
    for wave, s in zip(out.x.unpack(), speed):
        assert abs(len(wave) - 8000 / s) <= 1
        spectrum = torch.fft.rfft(wave).abs()
        pitch = spectrum.argmax() * RATE / len(wave)
        assert abs(pitch - 440 * s) < 3


def test_a_shift_moves_and_silence_follows():
    x = batch(*[1000] * 20)
    out = view(x, crop=(1.0, 1.0), shift=0.3)
    for wave, whole, d in zip(out.x.unpack(), x.x.unpack(), out.meta["shift"].tolist()):
        assert len(wave) == 1000
        assert abs(d) <= 300
        expected = torch.zeros(1000)
        expected[max(d, 0) : 1000 + min(d, 0)] = whole[max(-d, 0) : 1000 - max(d, 0)]
        torch.testing.assert_close(wave, expected)
    assert len(set(out.meta["shift"].tolist())) > 10


def test_noise_has_the_level_that_was_drawn():
    x = batch(*[20_000] * 30)
    out = view(x, crop=(1.0, 1.0), noise=0.5, snr=(0.0, 20.0))
    level = out.meta["noise"]
    assert 5 <= (level == 0).sum() <= 25
    for wave, whole, a in zip(out.x.unpack(), x.x.unpack(), level):
        rest = (wave - whole).square().mean().sqrt() / whole.square().mean().sqrt()
        assert abs(rest - a) < 0.05 * a + 1e-5  # levels are set in single precision
    drawn = -20 * level[level > 0].log10()
    assert drawn.min() >= 0
    assert drawn.max() <= 20


def test_a_partner_is_heard_again_and_again_at_its_level():
    x = batch(700, 3000, 1111)
    out = view(x, crop=(1.0, 1.0), mix=1.0, snr=(6.0, 6.0))
    waves = x.x.unpack()
    for i, wave in enumerate(out.x.unpack()):
        other = waves[int(out.meta["partner"][i])]
        behind = other[torch.arange(len(wave)) % len(other)]
        factor = 10 ** (-6 / 20) * (waves[i].square().mean() / other.square().mean()).sqrt()
        torch.testing.assert_close(wave, waves[i] + factor * behind)


def test_gain_is_one_factor_a_sample():
    x = batch(*[500] * 30)
    out = view(x, crop=(1.0, 1.0), gain=6.0)
    ratio = torch.stack([w / v for w, v in zip(out.x.unpack(), x.x.unpack())])
    torch.testing.assert_close(ratio, out.meta["gain"][:, None].expand_as(ratio), atol=1e-3, rtol=1e-3)
    decibel = 20 * out.meta["gain"].log10()
    assert decibel.abs().max() <= 6
    assert decibel.std() > 1


def test_spectrogram_masks_hide_what_they_say_and_nothing_else():
    frames = Ragged.of([torch.ones(n, 20) for n in (10, 37)])
    time = torch.tensor([[[0.2, 0.5]], [[0.0, 0.1]]])
    mel = torch.tensor([[[0.5, 0.75]], [[0.9, 1.0]]])
    one, two = hide(frames, time, mel).unpack()
    assert one[:, 0].nonzero()[:, 0].tolist() == [0, 1, 5, 6, 7, 8, 9]
    assert one[0].nonzero()[:, 0].tolist() == [*range(10), *range(15, 20)]
    assert (two[:4] == 0).all()
    assert two[4].nonzero()[:, 0].tolist() == list(range(18))
    assert torch.equal(hide(frames, None).values, frames.values)


def test_masks_are_drawn_within_their_widths():
    out = view(batch(*[500] * 200), time_masks=2, time_width=0.3, mel_masks=1, mel_width=0.5)
    for name, count, width in (("time", 2, 0.3), ("mel", 1, 0.5)):
        drawn = out.x[name]
        assert drawn.shape == (200, count, 2)
        wide = drawn[..., 1] - drawn[..., 0]
        assert wide.min() >= -1e-6
        assert 0.9 * width < wide.max() <= width + 1e-6
        assert drawn.min() >= 0
        assert drawn.max() <= 1 + 1e-6


def test_every_recording_is_brought_to_one_level_and_silence_is_not_blown_up():
    waves = [torch.tensor([16384, -32768, 0, 8192]), torch.tensor([20, -10, 0]), torch.tensor([1, 0, 0])]
    x = Batch(Ragged.of([w.to(torch.int16) for w in waves]), torch.arange(3))
    loud, soft, silent = view(x, crop=(1.0, 1.0)).x.unpack()
    for out, wave in ((loud, waves[0]), (soft, waves[1])):
        torch.testing.assert_close(out.square().mean().sqrt(), torch.tensor(LEVEL))
        torch.testing.assert_close(out / out[0], wave / wave[0])
    assert 0 < silent.abs().max() < LEVEL  # one step of 16 bits is rounding, not sound


def test_the_same_seed_gives_the_same_views_and_another_others():
    x, make = batch(3000, 800, 9000), two_views(SPEC)
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(make(x)[1].x["wave"].values)
    assert torch.equal(found[0], found[1])
    assert found[0].shape != found[2].shape or not torch.equal(found[0], found[2])


def test_every_need_gives_its_number_of_views_with_everything_finite():
    x = batch(1, 30, 5000, 60_000)
    x.x.values[:31] = 0  # silent ones stay so
    for make, count in (
        (two_views(SPEC), 2),
        (multi_view(SPEC, count=3), 3),
        (multi_crop(SPEC), 6),
        (plain_view(SPEC), 1),
    ):
        views = make(x)
        assert len(views) == make.count == count
        for v in views:
            wave = v.x["wave"] if isinstance(v.x, dict) else v.x
            assert len(v) == len(wave) == 4
            assert wave.length.min() >= 1
            assert wave.values.isfinite().all()
    long, short = multi_crop(SPEC)(batch(*[8000] * 30))[0::5]
    assert long.x.length.float().mean() > 1.5 * short.x.length.float().mean()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop_scale": (0.5, 1.5)}, "crop_scale is a share"),
        ({"crop_scale": (0.0, 0.0)}, "crop_scale is a share"),
        ({"noise": 2.0}, "noise is a share"),
        ({"longest": 0.0}, "longest is above 0"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict, message: str):
    with pytest.raises(InputError, match=message):
        two_views(SPEC, **options)
    with pytest.raises(InputError, match="at least 1"):
        multi_view(SPEC, count=0)
