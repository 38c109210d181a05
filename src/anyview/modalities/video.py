"""Videos: uint8 clips of a fixed number of frames; tube crops and stretches of time; (2+1)-d networks."""

from typing import Any

import torch
from torch import Tensor

from anyview.data.source import Source
from anyview.modalities.base import Modality, Raw, Spec
from anyview.modalities.volume import square
from anyview.views.video import (
    default_size,
    multi_crop,
    multi_view,
    plain_view,
    resized,
    two_views,
    whole,
)

RAW_SIDE = 32  #: mean frame and mean difference are compared at this side at most


class Video(Modality):
    name = "video"
    views = {"two_views": two_views, "multi_view": multi_view, "multi_crop": multi_crop, "tokens": plain_view}
    protocols = ("fewshot", "linear", "knn")
    unit = "clips"
    raw_name = "mean frame and difference"

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        """A transformer for methods that hide tokens, else a (2+1)-d ResNet; larger ones with an accelerator."""
        quick = torch.cuda.is_available() and samples >= 10_000
        if needs == "tokens":
            return "transformer-tiny" if quick else "transformer-nano"
        return "resnet2p1d-m" if quick else "resnet2p1d-s"

    def input(self, spec: Spec) -> dict[str, Any]:
        return {"shape": list(spec["shape"])}

    def seen(self, spec: Spec, view_options: dict[str, Any]) -> Spec:
        size = view_options.get("size") or default_size(spec)
        frames = view_options.get("frames") or spec["shape"][1]
        return {**spec, "shape": [spec["shape"][0], frames, size, size]}

    def batch_size(self, spec: Spec, samples: int) -> int | None:
        """Smaller for large clips, whose feature maps would not fit: 64 a step above 48 pixels a side."""
        return min(64, samples) if min(spec["shape"][2:]) > 48 else None

    def inputs(self, x: Tensor, spec: Spec) -> Tensor:
        return whole(x, spec)

    def raw(self, train: Source, spec: Spec) -> Raw:
        """The mean frame, and the mean absolute difference of frames that follow each other."""
        height, width = (min(RAW_SIDE, n) for n in spec["shape"][2:])

        def features(x: Tensor) -> Tensor:
            y = whole(x, spec)
            change = (y[:, :, 1:] - y[:, :, :-1]).abs().mean(2, keepdim=True)
            return resized(torch.cat([y.mean(2, keepdim=True), change], 1), height, width).flatten(1)

        return features

    def describe(self, spec: Spec) -> str:
        channels, frames, height, width = spec["shape"]
        return f"clip of {frames} frames {channels} x {height} x {width}"

    def check(self, spec: Spec) -> None:
        whole(torch.zeros(1, *spec["shape"]), spec)
        self.describe(spec)

    def picture(self, x: Tensor, spec: Spec) -> Tensor:
        """The middle frame."""
        mean, std = (torch.tensor(spec[k]).view(-1, 1, 1) for k in ("mean", "std"))
        return square(x[:, :, x.shape[2] // 2].detach().float().cpu() * std + mean)


MODALITY = Video()
