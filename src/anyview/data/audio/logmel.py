"""Log-mel spectrograms of ragged waveforms, computed packed: no frame is padding."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anyview.data.batch import Ragged
from anyview.errors import InputError

WINDOW, HOP = 0.025, 0.010  #: seconds of a frame and between two, as speech recognition has them
LOWEST = 20.0  #: Hz, where the first filter begins
#: added to the power of each band before the logarithm; a sine of amplitude 1 has power 1/4
FLOOR = 1e-8
LEAST_RATE = 2000  #: samples a second; below, bands are narrower than what the transform can tell apart
LEVEL = 0.1  #: root mean square that every recording is brought to, 20 dB below full scale
SILENCE = 1e-4  #: root mean square, 80 dB below full scale, from which a recording is not made louder in full
CHUNK = 8192  #: frames transformed at a time, which a cache can hold


def bands(rate: int) -> int:
    """How many mel bands suit a rate: as many as leave no filter empty, 64 at most."""
    return 64 if rate >= 16_000 else 40 if rate >= 8_000 else 20


def hz_to_mel(hz: float) -> float:
    """HTK's mel scale: ``2595 log10(1 + f / 700)`` (O'Shaughnessy 1987)."""
    return 2595.0 * math.log10(1.0 + hz / 700.0)


def mel_filters(rate: int, size: int, mels: int) -> Float[Tensor, "bins mels"]:
    """Triangles with peak 1 whose corners are evenly spaced in mel from ``LOWEST`` to half the rate (HTK book,
    section 5.4).

    Args:
        rate: samples a second.
        size: length of the Fourier transform; it has ``size // 2 + 1`` bins.
        mels: number of triangles.
    """
    edges = torch.linspace(hz_to_mel(LOWEST), hz_to_mel(rate / 2), mels + 2, dtype=torch.float64)
    corners = 700.0 * (10.0 ** (edges / 2595.0) - 1.0)
    frequency = torch.arange(size // 2 + 1, dtype=torch.float64)[:, None] * rate / size
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (frequency - low) / (centre - low), (high - frequency) / (high - centre)
    return torch.minimum(rising, falling).clamp_min(0).float()


class LogMel(nn.Module):
    """Waveforms -> the logarithm of their power in mel bands, ``(frames, mels)``, frames packed end to end.

    A frame is ``WINDOW`` seconds under a Hann window, one every ``HOP`` seconds, and lies within its own
    recording; a recording shorter than that has one frame, filled up with zeros.

    Args:
        rate: samples a second.
        mels: number of bands.
        mean, std: of each band, by which the result is normalised; None leaves it as it is.
    """

    hann: Tensor
    filters: Tensor
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        rate: int,
        mels: int,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if rate < LEAST_RATE or mels < 1:
            raise InputError(f"spectrograms need {LEAST_RATE:,} samples a second or more, not {rate:,}")
        self.window, self.hop = round(WINDOW * rate), round(HOP * rate)
        self.size = 2 ** math.ceil(math.log2(self.window))
        hann = torch.hann_window(self.window, periodic=True)
        # made again from the arguments, so no part of the weights
        self.register_buffer("hann", hann / hann.sum(), persistent=False)
        self.register_buffer("filters", mel_filters(rate, self.size, mels), persistent=False)
        self.register_buffer("mean", torch.tensor(mean or [0.0] * mels), persistent=False)
        self.register_buffer("std", torch.tensor(std or [1.0] * mels), persistent=False)

    def frames(self, length: Tensor) -> Tensor:
        """Number of frames of recordings of so many samples."""
        return torch.div((length - self.window).clamp_min(0), self.hop, rounding_mode="floor") + 1

    def forward(self, x: Ragged) -> Ragged:
        """Waveforms ``(samples,)``, float in -1 to 1, to frames ``(frames, mels)``."""
        count = self.frames(x.length)
        clip, within = places(count)
        offset = within * self.hop
        start, left = x.starts[clip] + offset, x.length[clip] - offset
        values = nn.functional.pad(x.values, (0, self.window)).unfold(0, self.window, 1)
        short = bool((left < self.window).any())
        steps = torch.arange(self.window, device=start.device)
        parts = []
        with torch.autocast(start.device.type, enabled=False):  # powers span more than 8 bits
            for s, rest in zip(start.split(CHUNK), left.split(CHUNK)):
                frames = values[s] * self.hann
                if short:
                    frames = frames * (steps < rest[:, None])
                spectrum = torch.fft.rfft(frames, self.size)
                power = spectrum.real.square() + spectrum.imag.square()
                parts.append((((power @ self.filters) + FLOOR).log() - self.mean) / self.std)
        return Ragged(torch.cat(parts), count)


def places(count: Tensor) -> tuple[Tensor, Tensor]:
    """For ``count[i]`` steps of every sample packed end to end: the sample each step is of, and its place there."""
    sample = torch.arange(len(count), device=count.device).repeat_interleave(count)
    starts = count.cumsum(0) - count
    return sample, torch.arange(len(sample), device=count.device) - starts.index_select(0, sample)


def mean_over(x: Ragged) -> Float[Tensor, "batch features"]:
    """Mean over the steps of each sample, of values ``(steps, features)``."""
    sample, _ = places(x.length)
    total = x.values.new_zeros(len(x), x.values.shape[1]).index_add(0, sample, x.values)
    return total / x.length.clamp_min(1)[:, None].to(total.dtype)


def statistics(frames: Ragged, eps: float = 0.0) -> Float[Tensor, "batch features"]:
    """Mean and deviation over time of each band: ``(batch, 2 · bands)``.

    Args:
        eps: added to the variance; keeps the gradient of the deviation finite where a band is constant.
    """
    mean = mean_over(frames)
    sample, _ = places(frames.length)
    variance = mean_over(Ragged((frames.values - mean[sample]).square(), frames.length))
    return torch.cat([mean, (variance + eps).sqrt()], 1)


def waveforms(x: Ragged) -> Ragged:
    """Recordings as float, all at one level: 16-bit numbers, or floats in -1 to 1, to a root mean square of
    ``LEVEL``. Microphones and distances differ by tens of decibels, which says nothing of what is heard and
    would shift the whole log-mel spectrogram. What is below ``SILENCE`` keeps its distance to it.
    """
    values = x.values if x.values.is_floating_point() else x.values.float() / 32768
    power = mean_over(Ragged(values[:, None].square(), x.length))[:, 0]
    gain = LEVEL / power.sqrt().clamp_min(SILENCE)
    return Ragged(values * gain.repeat_interleave(x.length), x.length)
