"""Volumes: uint8 voxels on a canvas; 3-d crops, turns and intensities; small 3-d networks by default."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from anyview.data.source import Source
from anyview.modalities.base import Modality, Raw, Spec
from anyview.views.volume import multi_crop, multi_view, plain_view, two_views, view_shape, whole

RAW_SIDE = 16  #: raw voxels are compared at this longest side at most


class Volume(Modality):
    name = "volume"
    views = {"two_views": two_views, "multi_view": multi_view, "multi_crop": multi_crop, "tokens": plain_view}
    protocols = ("fewshot", "linear", "knn")
    unit = "volumes"
    raw_name = "raw voxels"

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        """A transformer for methods that hide tokens, else a 3-d ResNet; larger ones with an accelerator."""
        quick = torch.cuda.is_available() and samples >= 10_000
        if needs == "tokens":
            return "transformer-tiny" if quick else "transformer-nano"
        return "resnet3d-m" if quick else "resnet3d-s"

    def input(self, spec: Spec) -> dict[str, Any]:
        return {"shape": list(spec["shape"])}

    def seen(self, spec: Spec, view_options: dict[str, Any]) -> Spec:
        return {**spec, "shape": [spec["shape"][0], *view_shape(spec, view_options.get("size"))]}

    def batch_size(self, spec: Spec, samples: int) -> int | None:
        """Smaller for large volumes, whose feature maps would not fit: 64 a step above 48 voxels a side."""
        return min(64, samples) if max(spec["shape"][1:]) > 48 else None

    def inputs(self, x: Tensor, spec: Spec) -> Tensor:
        return whole(x, spec)

    def raw(self, train: Source, spec: Spec) -> Raw:
        shape = view_shape(spec, min(RAW_SIDE, max(spec["shape"][1:])))
        return lambda x: whole(x, spec, shape).flatten(1)

    def describe(self, spec: Spec) -> str:
        return "volume " + " x ".join(str(n) for n in spec["shape"][1:])

    def check(self, spec: Spec) -> None:
        whole(torch.zeros(1, *spec["shape"]), spec)

    def picture(self, x: Tensor, spec: Spec) -> Tensor:
        """The middle slice of the first axis, in the middle of a square."""
        mean, std = (torch.tensor(spec[k]).view(-1, 1, 1) for k in ("mean", "std"))
        slices = x[:, :, x.shape[2] // 2].detach().float().cpu() * std + mean
        return square(slices)


def square(frames: Tensor) -> Tensor:
    """Frames ``(batch, channels, height, width)`` in [0, 1] as uint8 with channels last, filled up to squares."""
    height, width = frames.shape[2:]
    down, right = max(0, width - height), max(0, height - width)
    pixels = F.pad(frames.clamp(0, 1), (right // 2, right - right // 2, down // 2, down - down // 2)) * 255
    return pixels.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


MODALITY = Volume()
