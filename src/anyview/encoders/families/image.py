"""Encoders of images: convolutional networks, the ViT names, and timm's."""

from collections.abc import Callable
from functools import partial

from anyview.encoders.base import Encoder
from anyview.encoders.convnet import ConvNet
from anyview.encoders.families import Builder, Input
from anyview.encoders.families.transformer import SIZES, transformer
from anyview.encoders.localnet import LocalNet
from anyview.encoders.resnet import ResNet
from anyview.encoders.timm_adapter import TimmEncoder, published_input
from anyview.encoders.tokenizers.image import image_shape


def convnet(input: Input, *, width: int = 24) -> ConvNet:
    """See ``ConvNet``."""
    return ConvNet(image_shape(input)[0], width)


def resnet(
    input: Input, *, layers: int = 18, width: int = 64, stem: str | None = None, zero_init: bool = True
) -> ResNet:
    """See ``ResNet``; the small stem up to 64 px unless given."""
    shape = image_shape(input)
    stem = stem or ("small" if max(shape[1:]) <= 64 else "standard")
    return ResNet(shape[0], layers, width, stem, zero_init)


def localnet(input: Input, *, width: int = 24, blocks: int = 1) -> LocalNet:
    """See ``LocalNet``; made for the shorter side of the images."""
    shape = image_shape(input)
    return LocalNet(shape[0], min(shape[1:]), width, blocks)


def timm(input: Input, *, model: str, pretrained: bool = False, weights: str | None = None) -> TimmEncoder:
    """See ``TimmEncoder``."""
    shape = image_shape(input)
    return TimmEncoder(model, shape[0], shape[1:], pretrained, weights)


NETWORKS: dict[str, Callable[..., Encoder]] = {
    "convnet-s": convnet,
    "convnet-m": partial(convnet, width=64),
    "localnet-s": localnet,
    "localnet-m": partial(localnet, width=64, blocks=3),
    "resnet18": resnet,
    "resnet18-w32": partial(resnet, width=32),
    "resnet34": partial(resnet, layers=34),
    "resnet50": partial(resnet, layers=50),
    **{f"vit-{size}": partial(transformer, **shape) for size, shape in SIZES.items()},
}

BUILDERS = {name: Builder(build, ("image",)) for name, build in NETWORKS.items()}
ADAPTERS = {"timm": Builder(timm, ("image",), published_input)}
