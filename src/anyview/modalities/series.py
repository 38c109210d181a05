"""Series: numbers in time, in one channel or several, of one length or many."""

from typing import Any

import torch
from torch import Tensor

from anyview.data.batch import Payload, Ragged
from anyview.data.source import Source
from anyview.encoders.tokenizers.series import dense
from anyview.modalities.base import Modality, Raw, Spec
from anyview.views.series import multi_crop, multi_view, plain_view, two_views, whole
from anyview.views.series_ops import packed, resample, unpacked

RAW_STEPS = 512  #: raw series are compared at this length at most


class Series(Modality):
    name = "series"
    views = {"two_views": two_views, "multi_view": multi_view, "multi_crop": multi_crop, "tokens": plain_view}
    protocols = ("fewshot", "linear", "knn")
    unit = "series"
    raw_name = "raw series"

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        """A transformer on patches for methods that hide tokens, else a convolutional network."""
        return "transformer-nano" if needs == "tokens" else "resnet1d-s"

    def input(self, spec: Spec) -> dict[str, Any]:
        return {"channels": spec["channels"], "length": spec["length"]}

    def inputs(self, x: Tensor | Ragged, spec: Spec) -> Tensor | Ragged:
        return whole(x, spec)

    def raw(self, train: Source, spec: Spec) -> Raw:
        """The series itself, on the usual length (``RAW_STEPS`` at most)."""
        steps = min(RAW_STEPS, spec["length"])
        return lambda x: at_length(whole(x, spec), steps).flatten(1)

    def told(self, x: Payload, spec: Spec) -> dict[str, list[Any]]:
        return {"steps": x.length.tolist() if isinstance(x, Ragged) else [x.shape[2]] * len(x)}

    def describe(self, spec: Spec) -> str:
        channels = f"{spec['channels']:,} channel{'s' * (spec['channels'] != 1)}"
        if spec["shortest"] == spec["longest"]:
            return f"series of {channels} x {spec['longest']:,} steps"
        return f"series of {channels} x {spec['shortest']:,} to {spec['longest']:,} steps (usually {spec['length']:,})"

    def check(self, spec: Spec) -> None:
        whole(torch.zeros(1, spec["channels"], spec["length"]), spec)
        self.describe(spec)

    def picture(self, x: Tensor | Ragged, spec: Spec) -> Tensor:
        return plotted(x)


def at_length(x: Tensor | Ragged, steps: int) -> Tensor:
    """Every series at ``steps`` points, ``(batch, channels, steps)``."""
    if isinstance(x, Tensor) and x.shape[2] == steps:
        return x
    series = packed(x)
    wanted = torch.full_like(series.length, steps)
    start = torch.zeros_like(series.length, dtype=torch.float32)
    return unpacked(resample(series, start, series.length.float(), wanted), steps)


def plotted(x: Tensor | Ragged, height: int = 64, width: int = 128) -> Tensor:
    """Series as curves, dark on white, up to three channels in blue, orange and green: uint8 pixels."""
    values = dense(x)[0].detach().float().cpu()
    curves = at_length(x.to("cpu"), width)[:, :3].detach().float()  # (batch, curves, width)
    low, high = curves.amin((1, 2), True), curves.amax((1, 2), True)
    row = ((high - curves) / (high - low).clamp_min(1e-6) * (height - 1)).round().long()
    before = torch.cat([row[..., :1], row[..., :-1]], 2)
    top, bottom = torch.minimum(row, before), torch.maximum(row, before)
    y = torch.arange(height)[:, None]
    ink = (y >= top[:, :, None]) & (y <= bottom[:, :, None])  # (batch, curves, height, width)
    out = torch.full((len(values), height, width, 3), 255, dtype=torch.uint8)
    colours = torch.tensor([[31, 119, 180], [255, 127, 14], [44, 160, 44]], dtype=torch.uint8)
    for curve in range(ink.shape[1]):
        out[ink[:, curve]] = colours[curve]
    return out


MODALITY = Series()
