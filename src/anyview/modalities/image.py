"""Images: uint8 pixels on a canvas; batched crops and colours; small networks by default on small machines."""

from typing import Any

import torch
from torch import Tensor

from anyview.data.source import Source
from anyview.modalities.base import Modality, Raw, Spec
from anyview.views.image import multi_crop, multi_view, plain_view, two_views, whole
from anyview.views.image_corruptions import CORRUPTIONS
from anyview.views.image_jigsaw import jigsaw, side_by_side
from anyview.views.image_structured import parameter_views, shared_views

RAW_SIDE = 32  #: raw pixels are compared at this side at most


class Image(Modality):
    name = "image"
    views = {
        "two_views": two_views,
        "multi_view": multi_view,
        "multi_crop": multi_crop,
        "tokens": plain_view,
        "local_views": two_views,
        "shared_views": shared_views,
        "parameter_views": parameter_views,
        "jigsaw": jigsaw,
    }
    corruptions = CORRUPTIONS
    protocols = ("fewshot", "linear", "knn")
    unit = "images"
    raw_name = "raw pixels"

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        """A ViT for methods that hide tokens, one whose cells see parts of the image for those that compare parts,
        else a convolutional network; small ones on a processor without an accelerator, where a ResNet-18 sees
        too few images to learn."""
        quick = torch.cuda.is_available() and samples >= 10_000
        if needs == "local_views":
            return "localnet-m" if quick else "localnet-s"
        if needs == "tokens":
            return "vit-tiny" if quick else "vit-nano"
        return "resnet18" if quick or side(spec) > 64 else "convnet-s"

    def input(self, spec: Spec) -> dict[str, Any]:
        return {"shape": list(spec["shape"])}

    def seen(self, spec: Spec, view_options: dict[str, Any]) -> Spec:
        size = view_options.get("size") or side(spec)
        return {**spec, "shape": [spec["shape"][0], size, size]}

    def inputs(self, x: Tensor, spec: Spec) -> Tensor:
        return whole(x, spec)

    def raw(self, train: Source, spec: Spec) -> Raw:
        return lambda x: whole(x, spec, size=min(RAW_SIDE, side(spec))).flatten(1)

    def describe(self, spec: Spec) -> str:
        return "image " + " x ".join(str(n) for n in spec["shape"])

    def check(self, spec: Spec) -> None:
        whole(torch.zeros(1, *spec["shape"]), spec)

    def picture(self, x: Tensor, spec: Spec) -> Tensor:
        x = side_by_side(x) if x.ndim == 5 else x
        mean, std = (torch.tensor(spec[k]).view(-1, 1, 1) for k in ("mean", "std"))
        pixels = (x.detach().float().cpu() * std + mean).clamp(0, 1) * 255
        return pixels.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def side(spec: Spec) -> int:
    """The shorter side of the images, in pixels."""
    return min(spec["shape"][1:])


MODALITY = Image()
