"""What can be done to a batch of series. All work on packed steps, so that lengths may differ without a loop."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from anyview.data.batch import Ragged

PerSample = Float[Tensor, "batch"]


def packed(x: Tensor | Ragged) -> Ragged:
    """``(batch, channels, time)`` as packed steps; Ragged, ``(time, channels)`` a sample, as it is."""
    if isinstance(x, Ragged):
        return x
    batch, channels, time = x.shape
    steps = x.transpose(1, 2).reshape(batch * time, channels)
    return Ragged(steps, torch.full((batch,), time, device=x.device))


def unpacked(x: Ragged, time: int) -> Float[Tensor, "batch channels time"]:
    """Packed series that all have ``time`` steps, as a dense tensor."""
    return x.values.view(len(x), time, x.values.shape[1]).transpose(1, 2).contiguous()


def places(length: Int64[Tensor, "batch"]) -> tuple[Int64[Tensor, "steps"], Int64[Tensor, "steps"]]:
    """Of every packed step: the number of its sample, and its place within it."""
    sample = torch.arange(len(length), device=length.device).repeat_interleave(length)
    start = length.cumsum(0) - length
    return sample, torch.arange(len(sample), device=length.device) - start[sample]


def resample(x: Ragged, start: PerSample, span: PerSample, steps: Int64[Tensor, "batch"]) -> Ragged:
    """The stretch of ``span`` steps from ``start`` of each series, at ``steps`` evenly spaced points of it.

    Linear between neighbours; points are middles of equal parts, so a stretch of as many steps as are asked
    for, begun at a whole step, is copied.
    """
    sample, within = places(steps)
    point = start[sample] + (within + 0.5) * (span / steps)[sample] - 0.5
    last = (x.length - 1)[sample]
    point = torch.minimum(point.clamp_min(0), last.to(point.dtype))
    below = point.floor().long()
    share = (point - below)[:, None].to(x.values.dtype)
    first = x.starts[sample]
    low, high = x.values[first + below], x.values[first + torch.minimum(below + 1, last)]
    return Ragged(torch.lerp(low, high, share), steps)


def moments(x: Ragged) -> tuple[Float[Tensor, "batch channels"], Float[Tensor, "batch channels"]]:
    """Mean and deviation of every channel of each series."""
    sample, _ = places(x.length)
    count = x.length[:, None].to(x.values.dtype).clamp_min(1)
    zero = x.values.new_zeros(len(x), x.values.shape[1])
    mean = zero.index_add(0, sample, x.values) / count
    variance = zero.index_add(0, sample, (x.values - mean[sample]).square()) / count
    return mean, variance.sqrt()


def permute(x: Ragged, cuts: Float[Tensor, "batch cuts"], order: Int64[Tensor, "batch segments"]) -> Ragged:
    """Segments in another order. ``cuts`` are shares of the length, ascending; segment ``order[i]`` comes i-th."""
    ends = (cuts * x.length[:, None]).round().long()
    begins = torch.cat([torch.zeros_like(ends[:, :1]), ends], 1)
    ends = torch.cat([ends, x.length[:, None]], 1)
    source, steps = begins.gather(1, order), (ends - begins).gather(1, order)
    until = steps.cumsum(1)
    sample, within = places(x.length)
    segment = (within[:, None] >= until[sample]).sum(1)
    offset = within - (until - steps)[sample, segment]
    return Ragged(x.values[x.starts[sample] + source[sample, segment] + offset], x.length)


def mask_time(x: Ragged, start: PerSample, span: PerSample) -> Ragged:
    """Zero for ``span`` from ``start``, both as shares of the length; zero is the mean of training data."""
    sample, within = places(x.length)
    share = (within + 0.5) / x.length[sample]
    hidden = (share >= start[sample]) & (share < (start + span)[sample])
    return Ragged(x.values.masked_fill(hidden[:, None], 0.0), x.length)


def mask_frequencies(x: Ragged, low: PerSample, width: PerSample) -> Ragged:
    """Without the frequencies from ``low`` to ``low + width``, shares of the highest; the mean stays.

    By the Fourier transform of the series as long as the longest of the batch, the others filled up with their
    mean: at the ends of shorter ones a little of the band is left.
    """
    mean, _ = moments(x)
    sample, _ = places(x.length)
    dense, valid = Ragged(x.values - mean[sample], x.length).padded()
    spectrum = torch.fft.rfft(dense, dim=1)
    share = torch.linspace(0, 1, spectrum.shape[1], device=low.device)
    gone = (share >= low[:, None]) & (share < (low + width)[:, None])
    kept = torch.fft.irfft(spectrum.masked_fill(gone[..., None], 0), n=dense.shape[1], dim=1)
    return Ragged(kept[valid] + mean[sample], x.length)


def scale_channels(x: Ragged, factor: Float[Tensor, "batch channels"]) -> Ragged:
    """Every channel times a factor of its own."""
    return Ragged(x.values * factor.repeat_interleave(x.length, 0), x.length)


def add_noise(x: Ragged, deviation: PerSample, least: float = 0.01) -> Ragged:
    """Noise whose deviation is a share of the channel's own in that series (of ``least`` where it is constant)."""
    sigma = deviation[:, None] * moments(x)[1].clamp_min(least)
    return Ragged(x.values + torch.randn_like(x.values) * sigma.repeat_interleave(x.length, 0), x.length)


def drop_channels(x: Ragged, kept: Bool[Tensor, "batch channels"]) -> Ragged:
    """Zero where a channel is not kept."""
    return scale_channels(x, kept.to(x.values.dtype))
