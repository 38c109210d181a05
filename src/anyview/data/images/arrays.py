"""Arrays of images as people keep them -> uint8, samples x channels x height x width."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from anyview.errors import InputError

CHANNELS = (1, 3)
_CHUNK = 1024  # samples converted at a time, so that floats never exist twice in full

Array = np.ndarray | Tensor
Pixels = UInt8[Tensor, "samples channels height width"]


def looks_like_images(x: Array) -> float:
    """How sure one can be, from shape and type alone, that these are images: 0 to 1."""
    if channel_axis(x) is None or len(x) == 0:
        return 0.0
    if len(x.shape) == 4:
        return 0.9
    bytes_ = str(x.dtype).endswith("uint8")
    return 0.8 if bytes_ else 0.5  # (samples, a, b) of floats could as well be series


def channel_axis(x: Array) -> int | None:
    """1 or 3 for the axis of channels, 0 when there is none (gray), None for a shape that holds no images."""
    shape = tuple(x.shape)
    if len(shape) == 3:
        return 0
    if len(shape) != 4:
        return None
    axes = [axis for axis in (1, 3) if shape[axis] in CHANNELS]
    if len(axes) == 2:  # 3 pixels high or wide: the layout in which images are more nearly square
        first, last = abs(shape[2] - shape[3]), abs(shape[1] - shape[2])
        return 1 if first <= last else 3
    return axes[0] if axes else None


def as_uint8(arrays: dict[str, Array]) -> dict[str, Pixels]:
    """All splits as bytes, scaled alike.

    Takes (N, H, W), (N, C, H, W) or (N, H, W, C) with 1 or 3 channels. Bytes stay as they are; booleans, and
    floats in 0..1, are scaled to 0..255; whole or float values in 0..255 are rounded; 16-bit integers above
    255 are scaled by their full range.

    Raises:
        InputError: for other shapes and ranges, and for NaN or infinity (with the first such sample).
    """
    for split, x in arrays.items():
        if len(x) == 0:
            raise InputError(f"the {split} split is an empty array; give at least one image")
        if channel_axis(x) is None:
            raise InputError(
                f"an array of shape {tuple(x.shape)} holds no images; give (N, H, W), (N, C, H, W) or "
                "(N, H, W, C) with 1 or 3 channels"
            )
    factor = _factor(arrays)
    out = {}
    for split, x in arrays.items():
        parts = [part if factor is None else (part.float() * factor).round().byte() for _, part in _chunks(x)]
        pixels = torch.cat(parts)
        axis = channel_axis(x)
        pixels = pixels[:, None] if axis == 0 else pixels.movedim(axis, 1) if axis == 3 else pixels
        out[split] = pixels.contiguous()
    return out


def in_channels(
    x: UInt8[Tensor, "samples given height width"], channels: int
) -> UInt8[Tensor, "samples wanted height width"]:
    """Gray or colour as asked for: luma by ITU-R 601, as Pillow computes it, or the gray three times."""
    if x.shape[1] == channels:
        return x
    if channels == 3:
        return x.expand(-1, 3, -1, -1).contiguous()
    red, green, blue = x.int().unbind(1)
    return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).to(torch.uint8)[:, None]


def _factor(arrays: dict[str, Array]) -> float | None:
    """What values are multiplied by to run from 0 to 255; None when they are bytes already."""
    kinds = {str(x.dtype).removeprefix("torch.") for x in arrays.values()}
    if kinds == {"uint8"}:
        return None
    low, high = np.inf, -np.inf
    for split, x in arrays.items():
        for start, part in _chunks(x):
            if part.is_floating_point():
                finite = part.isfinite().flatten(1).all(1)
                if not finite.all():
                    first = start + int((~finite).nonzero()[0])
                    raise InputError(
                        f"sample {first} of the {split} split holds NaN or infinity; mend it or leave it out"
                    )
            low, high = min(low, float(part.min())), max(high, float(part.max()))
    if low >= 0 and high <= 1 and (kinds == {"bool"} or any("float" in kind for kind in kinds)):
        return 255.0
    if low >= 0 and high <= 255:
        return 1.0
    if low >= 0 and high <= 65535 and kinds <= {"uint16"}:
        return 255 / 65535
    raise InputError(f"image values run from {low:.4g} to {high:.4g}; give 0..1 or 0..255 (not normalised)")


def _chunks(x: Array) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(x), _CHUNK):
        part = x[start : start + _CHUNK]
        if isinstance(part, np.ndarray):
            if part.dtype.kind not in "buif":
                raise InputError(f"an array of {part.dtype} holds no images; give bytes or floats")
            part = part.astype(np.int32) if part.dtype == np.uint16 else part
            part = torch.from_numpy(np.array(part, order="C"))  # a copy: what came may be read-only
        yield start, part.detach().cpu()
