"""Clips as tubes: a square of some pixels over two frames."""

from typing import Any

from anyview.encoders.base import Tokenizer
from anyview.encoders.boxes import BoxTokenizer, Shape, shape_of


def video_shape(input: dict[str, Any]) -> Shape:
    """``(channels, frames, height, width)`` of the clips that ``input`` describes; InputError when it is none."""
    return shape_of(input.get("shape", []), "clips have a shape (channels, frames, height, width)")


class VideoTokenizer(BoxTokenizer, Tokenizer):  # a direct subclass too: that is how it is found
    """Tubes of two frames (VideoMAE, arXiv:2203.12602, section 3.3); see ``BoxTokenizer``. ``patch`` is the
    side of their square in pixels."""

    modality = "video"
    mask_ratio = 0.9

    @classmethod
    def of(cls, input: dict[str, Any], dim: int, patch: int | None) -> "VideoTokenizer":
        shape = video_shape(input)
        if patch is None:
            side = max(shape[2:])
            patch = next((p for limit, p in ((8, 2), (24, 4), (80, 8)) if side <= limit), 16)
        return cls(shape, (min(2, shape[1]), patch, patch), dim)
