"""Any network of the timm library as an encoder (the extra ``anyview[timm]``)."""

import math
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from anyview.encoders.base import unused
from anyview.encoders.feature_map import Images, MapEncoder
from anyview.encoders.weights import read_weights
from anyview.errors import InputError, unknown


class TimmEncoder(MapEncoder):
    """A timm network without its classifier. Layers: 1 to ``depth``, timm's stages or blocks.

    ``tokens`` are the cells of the last feature map or the patch tokens, prefix tokens left out; the last
    layer's have been through the network's final norm, where it has one. A few networks (MobileNetV3) have a
    wider head after the last map: their tokens are narrower than ``dim``. Masks can be replaced, not dropped.

    Args:
        name: timm's name, such as ``resnet18`` or ``vit_tiny_patch16_224``.
        channels: channels of the images.
        size: ``(height, width)`` in pixels; only networks that are built for one size (ViTs) need it.
        pretrained: take timm's published weights from the Hub.
        weights: a local safetensors file with the network's weights.

    Raises:
        InputError: when timm is not installed, has no such network or weights, or cannot build it so.
    """

    network: Any  # timm's modules share attributes, not a type

    def __init__(
        self,
        name: str,
        channels: int = 3,
        size: tuple[int, int] = (224, 224),
        pretrained: bool = False,
        weights: str | None = None,
    ) -> None:
        super().__init__(channels)
        timm = _timm(name)
        published = timm.get_pretrained_cfg(name)
        fixed = bool(published and published.fixed_input_size)
        options: dict[str, Any] = {"img_size": size} if fixed else {}
        try:
            self.network = timm.create_model(name, pretrained, num_classes=0, in_chans=channels, **options)
        except (OSError, RuntimeError, ValueError, AssertionError) as error:
            reason = " ".join(str(error).split())
            problem = f"timm cannot build {name} for {channels} x {size[0]} x {size[1]}: {reason}"
            raise InputError(problem) from error
        self.stride = stride = int(self.network.feature_info[-1]["reduction"])
        if fixed and any(side % stride for side in size):
            wrong = f"{size[0]} x {size[1]}"
            raise InputError(f"timm:{name} takes sides that are multiples of {stride} px, not {wrong}")
        if not hasattr(self.network, "forward_intermediates"):
            raise InputError(f"timm:{name} does not give its feature maps; take another timm model")
        self.dim = getattr(self.network, "head_hidden_size", None) or self.network.num_features
        self.depth = len(self.network.feature_info)
        if weights is not None:
            read_weights(self.network, Path(weights), ignore_extra=True)

    def forward(self, x: Images) -> Float[Tensor, "batch dim"]:
        """The network's own pooled embedding."""
        return self.network(x) + unused(self.mask_pixel)

    def check_layers(self, layers: list[int]) -> None:
        super().check_layers(layers)
        if 0 in layers:
            raise InputError("timm networks do not give their input embedding (layer 0); layers start at 1")

    def maps(self, x: Images, layers: list[int] | None = None) -> list[Tensor]:
        if layers is not None:
            wanted = [i - 1 for i in layers]
            found = self.network.forward_intermediates(
                x, indices=sorted(set(wanted)), intermediates_only=True, output_fmt="NCHW"
            )
            by_layer = dict(zip(sorted(set(wanted)), found))
            return [by_layer[i] for i in wanted]
        y = self.network.forward_features(x)
        if y.ndim == 3:
            y = y[:, self.network.num_prefix_tokens :].transpose(1, 2).unflatten(2, self._cells(x))
        elif getattr(self.network, "output_fmt", "NCHW") == "NHWC":
            y = y.permute(0, 3, 1, 2)
        return [y]


def published_input(name: str) -> dict[str, Any]:
    """How images are shown to the published weights of a timm network: ``size`` in pixels, the ``share`` of the middle
    that is seen, ``mean`` and ``std`` of the channels; nothing where timm has no weights of it."""
    config = _timm(name).get_pretrained_cfg(name)
    if config is None:
        return {}
    size = int(config.input_size[-1])
    # its transform enlarges images to this side and cuts out the middle
    share = size / math.floor(size / config.crop_pct)
    return {"size": size, "share": share, "mean": list(config.mean), "std": list(config.std)}


def _timm(name: str) -> Any:
    """The library, when it has a network of this name.

    Raises:
        InputError: when it is not installed, or has none.
    """
    try:
        import timm
    except ImportError:
        raise InputError(f'timm:{name} needs timm; install it with: pip install "anyview[timm]"') from None
    if not timm.is_model(name):
        raise unknown("timm model", name, timm.list_models())
    return timm
