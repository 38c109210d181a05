"""Encoders of clips: (2+1)-d residual networks."""

from functools import partial

from anyview.encoders.families import Builder, Input
from anyview.encoders.resnet3d import ResNet3d
from anyview.encoders.tokenizers.video import video_shape


def resnet2p1d(
    input: Input, *, width: int = 16, blocks: int = 1, stem: int | None = None, zero_init: bool = True
) -> ResNet3d:
    """See ``ResNet3d``; the stem's stride in space is 2 above 16 pixels unless given, and 1 in time."""
    shape = video_shape(input)
    stride = stem or (2 if max(shape[2:]) > 16 else 1)
    return ResNet3d(shape[0], "factorised", width, blocks, (1, stride, stride), zero_init)


BUILDERS = {
    "resnet2p1d-s": Builder(resnet2p1d, ("video",)),
    "resnet2p1d-m": Builder(partial(resnet2p1d, width=48, blocks=2), ("video",)),
}
