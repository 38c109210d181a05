"""Views of audio: crops, speed, shift, mixing, noise and gain of the waveform, and masks for its spectrogram."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from anyview.data.audio.logmel import WINDOW, mean_over, places, waveforms
from anyview.data.batch import Batch, Ragged
from anyview.errors import InputError
from anyview.views.base import Views

Spec = dict[str, Any]
Span = tuple[float, float]


@dataclass(frozen=True)
class Recipe:
    """The distribution of one view. All shares are of the recording or of the view, between 0 and 1.

    Attributes:
        crop: smallest and largest share of the recording.
        longest: seconds that a view has at most.
        speed: playing speed is log-uniform in ``exp(-speed) .. exp(speed)``; pitch goes with it.
        shift: the view is moved by at most this share of its length, silence follows.
        mix, noise: probability of another recording of the batch, or white noise, behind it.
        snr: decibels that the view is above what is put behind it.
        gain: decibels by which it gets louder or softer at most.
        time_masks, time_width: hidden stretches of time, and the share of the view that one has at most.
        mel_masks, mel_width: hidden groups of mel bands, alike.
    """

    crop: Span = (0.6, 1.0)
    longest: float = 4.0
    speed: float = 0.0
    shift: float = 0.0
    mix: float = 0.0
    noise: float = 0.0
    snr: Span = (5.0, 30.0)
    gain: float = 0.0
    time_masks: int = 0
    time_width: float = 0.2
    mel_masks: int = 0
    mel_width: float = 0.25

    def __post_init__(self) -> None:
        shares = {"crop_scale": self.crop, "mix": (self.mix,) * 2, "noise": (self.noise,) * 2}
        shares |= {"shift": (self.shift,) * 2, "time_width": (self.time_width,) * 2}
        for name, (low, high) in (shares | {"mel_width": (self.mel_width,) * 2}).items():
            if not 0 <= low <= high <= 1 or (high <= 0 and name == "crop_scale"):
                raise InputError(f"{name} is a share from 0 to 1, not {low:g} to {high:g}")
        if self.longest <= 0 or self.speed < 0 or min(self.time_masks, self.mel_masks) < 0:
            raise InputError("longest is above 0 seconds; speed and numbers of masks are 0 or more")


class AudioViews(Views):
    """Views of ragged recordings, made on the packed values: nothing is padded, every draw is per sample.

    Each view is a Batch whose ``x`` is the waveforms (``Ragged``, float in about -1 to 1), or, where parts of
    the spectrogram are hidden, a dict of ``wave``, ``time`` and ``mel``: the waveforms and the hidden stretches
    ``(batch, masks, 2)`` from .. to, as shares of time and of the mel bands. ``meta`` keeps what was drawn.

    Args:
        rate: samples a second.
        parts: recipes, each with the number of views to make by it.
    """

    def __init__(self, rate: int, parts: list[tuple[Recipe, int]]) -> None:
        self.rate = rate
        self.recipes = [recipe for recipe, count in parts for _ in range(count)]
        self.count = len(self.recipes)
        if self.count < 1:
            raise InputError("views of audio need a count of at least 1")

    def __call__(self, batch: Batch) -> list[Batch]:
        x = waveforms(batch.x)
        return [self._view(batch, x, recipe) for recipe in self.recipes]

    def _view(self, batch: Batch, x: Ragged, recipe: Recipe) -> Batch:
        n, device = len(x), x.values.device
        wave, did = self._cut(x, recipe)
        if recipe.mix:
            partner = torch.randint(n, (n,), device=device)
            level = _level(recipe, recipe.mix, n, device)
            wave, did = _mixed(wave, partner, level), did | {"partner": partner, "mix": level}
        if recipe.noise:
            level = _level(recipe, recipe.noise, n, device)
            sample, _ = places(wave.length)
            loudness = _at(_power(wave).sqrt() * level, sample)
            wave = Ragged(wave.values + loudness * torch.randn_like(wave.values), wave.length)
            did |= {"noise": level}
        if recipe.gain:
            gain = 10 ** (_uniform(n, -recipe.gain, recipe.gain, device) / 20)
            wave = Ragged(wave.values * _at(gain, places(wave.length)[0]), wave.length)
            did |= {"gain": gain}
        if not recipe.time_masks and not recipe.mel_masks:
            return batch.with_x(wave, **did)
        hidden = {
            "time": _stretches(n, recipe.time_masks, recipe.time_width, device),
            "mel": _stretches(n, recipe.mel_masks, recipe.mel_width, device),
        }
        return batch.with_x({"wave": wave, **hidden}, **did)

    def _cut(self, x: Ragged, recipe: Recipe) -> tuple[Ragged, dict[str, Tensor]]:
        """A crop of each recording, played at another speed (by linear interpolation) and moved."""
        n, device = len(x), x.values.device
        length = x.length.double()
        taken = (length * _uniform(n, *recipe.crop, device)).clamp(max=recipe.longest * self.rate)
        taken = taken.clamp(min=WINDOW * self.rate).minimum(length).floor()
        start = (torch.rand(n, device=device) * (length - taken + 1)).floor().minimum(length - taken)
        speed = _uniform(n, -recipe.speed, recipe.speed, device).exp()
        count = (taken / speed).round().clamp_min(1).long()
        shift = (_uniform(n, -recipe.shift, recipe.shift, device) * count).round().long()
        did = {"start": start.long(), "taken": taken.long(), "speed": speed, "shift": shift}

        sample, step = places(count)
        base, last = _at(x.starts + start.long(), sample), _at(taken.long() - 1, sample)
        if not recipe.speed and not recipe.shift:
            return Ragged(_at(x.values, base + step), count), did
        step = step - _at(shift, sample)
        heard = (step >= 0) & (step < _at(count, sample))
        at = step * _at(speed.to(x.values.dtype), sample)
        before = at.floor().long().clamp_min(0).minimum(last)
        after = (before + 1).minimum(last)
        values = torch.lerp(
            _at(x.values, base + before), _at(x.values, base + after), (at - before).clamp(0, 1)
        )
        return Ragged(values * heard, count), did


def _at(values: Tensor, place: Tensor) -> Tensor:
    """``values[place]``, several times as quick on a processor."""
    return values.index_select(0, place)


def _uniform(n: int, low: float, high: float, device: torch.device) -> Tensor:
    return low + (high - low) * torch.rand(n, device=device)


def _level(recipe: Recipe, chance: float, n: int, device: torch.device) -> Tensor:
    """Amplitude, relative to the view's, of what is put behind it: 0 where nothing is."""
    level = 10 ** (-_uniform(n, *recipe.snr, device) / 20)
    return level * (torch.rand(n, device=device) < chance)


def _power(wave: Ragged) -> Tensor:
    """Mean square of each sample."""
    return mean_over(Ragged(wave.values.square()[:, None], wave.length))[:, 0]


def _mixed(wave: Ragged, partner: Tensor, level: Tensor) -> Ragged:
    """Every view with that of ``partner`` behind it, again from its beginning where it is shorter."""
    sample, step = places(wave.length)
    start, length = (_at(v.index_select(0, partner), sample) for v in (wave.starts, wave.length))
    behind = _at(wave.values, start + step % length)
    power = _power(wave)
    loudness = level * (power / power[partner].clamp_min(1e-12)).sqrt()
    return Ragged(wave.values + _at(loudness, sample) * behind, wave.length)


def _stretches(n: int, count: int, width: float, device: torch.device) -> Tensor:
    """``(n, count, 2)``: from and to, of widths uniform in 0..``width``, anywhere in 0..1 (SpecAugment,
    arXiv:1904.08779, section 2)."""
    wide = width * torch.rand(n, count, device=device)
    start = torch.rand(n, count, device=device) * (1 - wide)
    return torch.stack([start, start + wide], -1)


def two_views(
    spec: Spec,
    *,
    crop_scale: Span = (0.6, 1.0),
    longest: float = 4.0,
    speed: float = 0.15,
    shift: float = 0.1,
    mix: float = 0.3,
    noise: float = 0.3,
    snr: Span = (5.0, 30.0),
    gain: float = 6.0,
    time_masks: int = 1,
    time_width: float = 0.2,
    mel_masks: int = 1,
    mel_width: float = 0.25,
) -> AudioViews:
    """Two views of each recording.

    Args:
        spec: what the recordings are like.
        crop_scale: smallest and largest share of the recording in a view.
        longest: seconds that a view has at most; longer recordings are cropped to it.
        speed: how much faster or slower a view is played, as the logarithm of the factor; pitch goes with it,
            so a voice seems another's. 0 where pitch is what tells samples apart.
        shift: share of its length by which a view is moved at most; silence follows.
        mix: probability that another recording of the batch is heard behind it.
        noise: probability of white noise behind it.
        snr: smallest and largest number of decibels that the view is above what is behind it.
        gain: decibels by which it gets louder or softer at most.
        time_masks: number of stretches of time hidden (SpecAugment, arXiv:1904.08779).
        time_width: largest share of the view that one of them hides.
        mel_masks: number of groups of mel bands hidden; networks on the waveform do not see these masks.
        mel_width: largest share of the bands that one of them hides.
    """
    recipe = Recipe(
        crop_scale, longest, speed, shift, mix, noise, snr, gain, time_masks, time_width, mel_masks, mel_width
    )
    return AudioViews(spec["rate"], [(recipe, 2)])


def multi_view(
    spec: Spec,
    *,
    count: int = 4,
    crop_scale: Span = (0.6, 1.0),
    longest: float = 4.0,
    speed: float = 0.15,
    shift: float = 0.1,
    mix: float = 0.3,
    noise: float = 0.3,
    snr: Span = (5.0, 30.0),
    gain: float = 6.0,
    time_masks: int = 1,
    time_width: float = 0.2,
    mel_masks: int = 1,
    mel_width: float = 0.25,
) -> AudioViews:
    """Any number of views of each recording, all of one distribution.

    Args:
        spec: what the recordings are like.
        count: number of views.
        crop_scale: smallest and largest share of the recording in a view.
        longest: seconds that a view has at most; longer recordings are cropped to it.
        speed: how much faster or slower a view is played, as the logarithm of the factor.
        shift: share of its length by which a view is moved at most; silence follows.
        mix: probability that another recording of the batch is heard behind it.
        noise: probability of white noise behind it.
        snr: smallest and largest number of decibels that the view is above what is behind it.
        gain: decibels by which it gets louder or softer at most.
        time_masks: number of stretches of time hidden (SpecAugment, arXiv:1904.08779).
        time_width: largest share of the view that one of them hides.
        mel_masks: number of groups of mel bands hidden; networks on the waveform do not see these masks.
        mel_width: largest share of the bands that one of them hides.
    """
    recipe = Recipe(
        crop_scale, longest, speed, shift, mix, noise, snr, gain, time_masks, time_width, mel_masks, mel_width
    )
    return AudioViews(spec["rate"], [(recipe, count)])


def multi_crop(
    spec: Spec,
    *,
    global_count: int = 2,
    local_count: int = 4,
    global_scale: Span = (0.6, 1.0),
    local_scale: Span = (0.2, 0.5),
    longest: float = 4.0,
    speed: float = 0.15,
    shift: float = 0.1,
    mix: float = 0.3,
    noise: float = 0.3,
    snr: Span = (5.0, 30.0),
    gain: float = 6.0,
) -> AudioViews:
    """A few long crops of each recording and several short ones.

    Args:
        spec: what the recordings are like.
        global_count: number of long views, which come first.
        local_count: number of short views.
        global_scale: smallest and largest share of the recording in a long view.
        local_scale: smallest and largest share of the recording in a short view.
        longest: seconds that a long view has at most; a short one has half of it.
        speed: how much faster or slower a view is played, as the logarithm of the factor.
        shift: share of its length by which a view is moved at most; silence follows.
        mix: probability that another recording of the batch is heard behind it.
        noise: probability of white noise behind it.
        snr: smallest and largest number of decibels that the view is above what is behind it.
        gain: decibels by which it gets louder or softer at most.
    """
    shared = (speed, shift, mix, noise, snr, gain)
    parts = [
        (Recipe(global_scale, longest, *shared), global_count),
        (Recipe(local_scale, longest / 2, *shared), local_count),
    ]
    return AudioViews(spec["rate"], parts)


def plain_view(
    spec: Spec, *, crop_scale: Span = (0.6, 1.0), longest: float = 4.0, gain: float = 0.0
) -> AudioViews:
    """One mild view of each recording, a crop, for masked methods.

    Args:
        spec: what the recordings are like.
        crop_scale: smallest and largest share of the recording in the view.
        longest: seconds that the view has at most; longer recordings are cropped to it.
        gain: decibels by which it gets louder or softer at most.
    """
    return AudioViews(spec["rate"], [(Recipe(crop_scale, longest, gain=gain), 1)])


def heard(x: Any) -> tuple[Ragged, Tensor | None, Tensor | None]:
    """``(waveforms, hidden time, hidden mel bands)`` of what a view gives; the last two None where nothing is
    hidden."""
    return (x["wave"], x["time"], x["mel"]) if isinstance(x, dict) else (x, None, None)


def hide(x: Ragged, time: Tensor | None, mel: Tensor | None = None) -> Ragged:
    """Steps ``(steps, ...)``, and bands on their last axis, with what is hidden set to 0, the mean."""
    values = x.values
    if time is not None and time.shape[1]:
        sample, step = places(x.length)
        share = (step + 0.5) / x.length[sample]
        hidden = _within(share[:, None], time[sample])
        values = values.masked_fill(hidden.view(-1, *[1] * (values.ndim - 1)), 0)
    if mel is not None and mel.shape[1]:
        share = (torch.arange(values.shape[-1], device=values.device) + 0.5) / values.shape[-1]
        hidden = _within(share[None, :, None], mel[:, None])  # (batch, bands)
        values = values.masked_fill(hidden[places(x.length)[0]], 0)
    return Ragged(values, x.length)


def _within(share: Tensor, stretches: Tensor) -> Tensor:
    return ((share >= stretches[..., 0]) & (share < stretches[..., 1])).any(-1)
