"""Views of series: crops, jitter, scale, permuted segments, hidden stretches and frequencies."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from anyview.data.batch import Batch, Ragged
from anyview.errors import InputError
from anyview.views import series_ops as ops
from anyview.views.base import Views

Params = dict[str, Tensor]


def whole(x: Tensor | Ragged, spec: dict[str, Any]) -> Tensor | Ragged:
    """What a network sees outside training: the whole series, every channel scaled as in training."""
    values = x.values if isinstance(x, Ragged) else x
    mean = torch.tensor(spec["mean"], dtype=torch.float32, device=values.device)
    std = torch.tensor(spec["std"], dtype=torch.float32, device=values.device)
    if values.ndim != (2 if isinstance(x, Ragged) else 3) or values.shape[1] != len(mean):
        shape = tuple(values.shape)
        raise InputError(f"expected series of {len(mean)} channels, got a payload of shape {shape}")
    if isinstance(x, Ragged):
        return Ragged((values.float() - mean) / std, x.length)
    return (values.float() - mean[:, None]) / std[:, None]


@dataclass(frozen=True)
class SeriesPipeline:
    """One distribution of views; ``draw`` draws the parameters of every sample, ``apply`` makes the views.

    Attributes:
        crop_scale: smallest and largest share of the length in a crop.
        length: steps of a view, as a share of the series' length; None leaves a crop as long as it is (a
            window slice), so that views differ in length.
        jitter: largest deviation of added noise, as a share of the channel's own deviation.
        scale: deviation of the factor of each channel around 1.
        permute: probability of putting segments in another order.
        segments: how many segments are permuted.
        time_mask: largest share of the length that is hidden in one stretch.
        frequency_mask: largest share of the frequencies that is taken away in one band.
        drop_channel: probability of hiding a channel; one of them always stays.
    """

    crop_scale: tuple[float, float] = (0.5, 1.0)
    length: float | None = 1.0
    jitter: float = 0.0
    scale: float = 0.0
    permute: float = 0.0
    segments: int = 4
    time_mask: float = 0.0
    frequency_mask: float = 0.0
    drop_channel: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise InputError(
                f"crop_scale is two shares of the length in order, up to 1, not {self.crop_scale}"
            )
        for name in ("permute", "time_mask", "frequency_mask", "drop_channel"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is a share, 0 to 1, not {getattr(self, name)}")
        if min(self.jitter, self.scale) < 0:
            raise InputError("jitter and scale are deviations, 0 or more")
        if self.segments < 2:
            raise InputError(f"segments to permute are 2 or more, not {self.segments}")

    def draw(self, length: Tensor, channels: int) -> Params:
        """Parameters for series of these lengths, from torch's generator on their device.

        Returns:
            Tensors with the batch first: ``crop`` (start, steps), ``jitter`` (deviation), ``scale`` (factors),
            ``cuts`` (shares) and ``order`` of segments, ``time_mask`` and ``frequency_mask`` (start, width, as
            shares), ``channels`` (whether kept).
        """
        batch, device = len(length), length.device

        def rand(*shape: int) -> Tensor:
            return torch.rand(batch, *shape, device=device)

        low, high = self.crop_scale
        steps = ((low + (high - low) * rand()) * length).round().clamp_min(1).minimum(length.float())
        start = (rand() * (length - steps + 1)).floor()
        cuts, order = rand(self.segments - 1).sort(1).values, rand(self.segments).argsort(1)
        unchanged = torch.arange(self.segments, device=device)
        kept, one = rand(channels) >= self.drop_channel, rand(channels)
        return {
            "crop": torch.stack([start, steps], 1),
            "jitter": self.jitter * rand(),
            "scale": 1 + self.scale * torch.randn(batch, channels, device=device),
            "cuts": cuts,
            "order": torch.where((rand() < self.permute)[:, None], order, unchanged),
            "time_mask": _band(self.time_mask, rand(2)),
            "frequency_mask": _band(self.frequency_mask, rand(2)),
            "channels": kept | (one == one.amax(1, keepdim=True)),
        }

    @torch.no_grad()
    def apply(self, x: Tensor | Ragged, params: Params) -> Tensor | Ragged:
        """The views of ``x`` that ``params`` describe: dense when all have one length as ``x`` has, else Ragged."""
        y = ops.packed(x)
        start, span = params["crop"].unbind(1)
        share = span if self.length is None else self.length * y.length
        y = ops.resample(y, start, span, share.round().long().clamp_min(1))
        if self.permute:
            y = ops.permute(y, params["cuts"], params["order"])
        if self.frequency_mask:
            y = ops.mask_frequencies(y, *params["frequency_mask"].unbind(1))
        if self.scale:
            y = ops.scale_channels(y, params["scale"])
        if self.jitter:
            y = ops.add_noise(y, params["jitter"])
        if self.time_mask:
            y = ops.mask_time(y, *params["time_mask"].unbind(1))
        if self.drop_channel:
            y = ops.drop_channels(y, params["channels"])
        dense = isinstance(x, Tensor) and self.length is not None and len(x) > 0
        return ops.unpacked(y, int(y.length[0])) if dense else y


def _band(largest: float, draw: Tensor) -> Tensor:
    """Start and width of a band within 0 to 1, at most ``largest`` wide."""
    width = largest * draw[:, 0]
    return torch.stack([(1 - width) * draw[:, 1], width], 1)


class SeriesViews(Views):
    """Views of series from one or more distributions, scaled by channel; ``meta`` keeps their parameters.

    Args:
        parts: pipelines, each with the number of views to make by it.
        spec: what the series are like.
    """

    def __init__(self, parts: list[tuple[SeriesPipeline, int]], spec: dict[str, Any]) -> None:
        self.pipelines = [pipeline for pipeline, count in parts for _ in range(count)]
        self.count, self.spec = len(self.pipelines), spec
        if self.count < 1:
            raise InputError("views of series need a count of at least 1")

    def __call__(self, batch: Batch) -> list[Batch]:
        x = whole(batch.x, self.spec)
        length = ops.packed(x).length
        views = []
        for pipeline in self.pipelines:
            params = pipeline.draw(length, self.spec["channels"])
            views.append(batch.with_x(pipeline.apply(x, params), **params))
        return views


def two_views(
    spec: dict[str, Any],
    *,
    crop_scale: tuple[float, float] = (0.5, 1.0),
    resize: bool = True,
    jitter: float = 0.1,
    scale: float = 0.1,
    permute: float = 0.0,
    segments: int = 4,
    time_mask: float = 0.0,
    frequency_mask: float = 0.2,
    drop_channel: float = 0.0,
) -> SeriesViews:
    """Two views of each series: a random crop, stretched, with noise, another scale, a band of frequencies gone.

    Args:
        spec: what the series are like: channels, length, mean, std.
        crop_scale: smallest and largest share of the length in a crop.
        resize: stretch the crop to the length of the whole; else it stays a window, shorter than the series.
        jitter: largest deviation of added noise, as a share of the channel's own deviation.
        scale: deviation of the factor of each channel around 1.
        permute: probability of putting segments in another order.
        segments: how many segments are permuted.
        time_mask: largest share of the length that is hidden in one stretch.
        frequency_mask: largest share of the frequencies that is taken away in one band.
        drop_channel: probability of hiding a channel; one of them always stays.
    """
    length = 1.0 if resize else None
    rest = (jitter, scale, permute, segments, time_mask, frequency_mask, drop_channel)
    return SeriesViews([(SeriesPipeline(crop_scale, length, *rest), 2)], spec)


def multi_view(
    spec: dict[str, Any],
    *,
    count: int = 4,
    crop_scale: tuple[float, float] = (0.5, 1.0),
    resize: bool = True,
    jitter: float = 0.1,
    scale: float = 0.1,
    permute: float = 0.0,
    segments: int = 4,
    time_mask: float = 0.0,
    frequency_mask: float = 0.2,
    drop_channel: float = 0.0,
) -> SeriesViews:
    """Any number of views of each series, all of one distribution.

    Args:
        spec: what the series are like: channels, length, mean, std.
        count: number of views.
        crop_scale: smallest and largest share of the length in a crop.
        resize: stretch the crop to the length of the whole; else it stays a window, shorter than the series.
        jitter: largest deviation of added noise, as a share of the channel's own deviation.
        scale: deviation of the factor of each channel around 1.
        permute: probability of putting segments in another order.
        segments: how many segments are permuted.
        time_mask: largest share of the length that is hidden in one stretch.
        frequency_mask: largest share of the frequencies that is taken away in one band.
        drop_channel: probability of hiding a channel; one of them always stays.
    """
    length = 1.0 if resize else None
    rest = (jitter, scale, permute, segments, time_mask, frequency_mask, drop_channel)
    return SeriesViews([(SeriesPipeline(crop_scale, length, *rest), count)], spec)


def multi_crop(
    spec: dict[str, Any],
    *,
    global_count: int = 2,
    local_count: int = 4,
    global_scale: tuple[float, float] = (0.5, 1.0),
    local_scale: tuple[float, float] = (0.15, 0.5),
    local_length: float = 0.4,
    jitter: float = 0.1,
    scale: float = 0.1,
    permute: float = 0.0,
    segments: int = 4,
    time_mask: float = 0.0,
    frequency_mask: float = 0.2,
    drop_channel: float = 0.0,
) -> SeriesViews:
    """A few long crops of each series and several short ones, which are cheap (SwAV, arXiv:2006.09882).

    Args:
        spec: what the series are like: channels, length, mean, std.
        global_count: number of long views, which come first.
        local_count: number of short views.
        global_scale: smallest and largest share of the length in a long crop.
        local_scale: smallest and largest share of the length in a short crop.
        local_length: steps of a short view, as a share of the length of the series.
        jitter: largest deviation of added noise, as a share of the channel's own deviation.
        scale: deviation of the factor of each channel around 1.
        permute: probability of putting segments in another order.
        segments: how many segments are permuted.
        time_mask: largest share of the length that is hidden in one stretch.
        frequency_mask: largest share of the frequencies that is taken away in one band.
        drop_channel: probability of hiding a channel; one of them always stays.
    """
    if not 0 < local_length <= 1:
        raise InputError(f"local_length is a share of the length, above 0 and up to 1, not {local_length}")
    rest = (jitter, scale, permute, segments, time_mask, frequency_mask, drop_channel)
    parts = [
        (SeriesPipeline(global_scale, 1.0, *rest), global_count),
        (SeriesPipeline(local_scale, local_length, *rest), local_count),
    ]
    return SeriesViews(parts, spec)


def plain_view(
    spec: dict[str, Any], *, crop_scale: tuple[float, float] = (0.6, 1.0), scale: float = 0.1
) -> SeriesViews:
    """One mild view of each series, a stretched crop on another scale, for masked methods.

    Args:
        spec: what the series are like: channels, length, mean, std.
        crop_scale: smallest and largest share of the length in the crop.
        scale: deviation of the factor of each channel around 1.
    """
    return SeriesViews([(SeriesPipeline(crop_scale, scale=scale), 1)], spec)
