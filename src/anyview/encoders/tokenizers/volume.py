"""Volumes as cubes."""

from typing import Any

from anyview.encoders.base import Tokenizer
from anyview.encoders.boxes import BoxTokenizer, Shape, shape_of


def volume_shape(input: dict[str, Any]) -> Shape:
    """``(channels, depth, height, width)`` of the volumes that ``input`` describes; InputError when it is none."""
    return shape_of(input.get("shape", []), "volumes have a shape (channels, depth, height, width)")


class VolumeTokenizer(BoxTokenizer, Tokenizer):  # a direct subclass too: that is how it is found
    """Cubes of a volume; see ``BoxTokenizer``. ``patch`` is the side of a cube in voxels."""

    modality = "volume"
    mask_ratio = 0.75

    @classmethod
    def of(cls, input: dict[str, Any], dim: int, patch: int | None) -> "VolumeTokenizer":
        shape = volume_shape(input)
        if patch is None:  # some 64 to 512 cubes for usual sizes
            longest = max(shape[1:])
            patch = next((side for limit, side in ((8, 2), (24, 4), (64, 8)) if longest <= limit), 16)
        return cls(shape, (patch, patch, patch), dim)
