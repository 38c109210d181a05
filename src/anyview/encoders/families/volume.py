"""Encoders of volumes: 3-d residual networks."""

from functools import partial

from anyview.encoders.families import Builder, Input
from anyview.encoders.resnet3d import ResNet3d
from anyview.encoders.tokenizers.volume import volume_shape


def resnet3d(
    input: Input, *, width: int = 16, blocks: int = 1, stem: int | None = None, zero_init: bool = True
) -> ResNet3d:
    """See ``ResNet3d``; the stem's stride is 2 above 16 voxels unless given."""
    shape = volume_shape(input)
    stride = stem or (2 if max(shape[1:]) > 16 else 1)
    return ResNet3d(shape[0], "full", width, blocks, (stride, stride, stride), zero_init)


BUILDERS = {
    "resnet3d-s": Builder(resnet3d, ("volume",)),
    "resnet3d-m": Builder(partial(resnet3d, width=48, blocks=2), ("volume",)),
}
