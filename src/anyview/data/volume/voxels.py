"""Voxels of any type and shape -> uint8 on a canvas; a single large volume -> cubes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from anyview.data.source import UnreadableError
from anyview.data.volume.nifti import is_nifti, read_nifti
from anyview.errors import InputError

Shape = tuple[int, int, int]

#: volumes that all have one shape of at most this many voxels a side keep it
MAX_KEPT_SIDE = 64
#: otherwise the canvas is the median of each side, its longest brought to this at most
MAX_CANVAS = 96
#: side of the cubes that a single volume is cut into unless a size is given
CUBE = 32
LARGEST = 1e300  #: voxels beyond are taken for it, so that differences of two never overflow
#: what is darkest and brightest, in percent: MRI has no unit, and single voxels can be very bright
PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class Canvas:
    """What every volume is brought to.

    A larger one is reduced (by area) until it fits, never enlarged, and what is left is filled with zeros
    around it, so that proportions stay and nothing is cut off.
    """

    depth: int
    height: int
    width: int

    @property
    def shape(self) -> Shape:
        return self.depth, self.height, self.width

    def __call__(self, item: Any) -> UInt8[Tensor, "1 depth height width"]:
        """Reads a path, an array or a tensor.

        Raises:
            UnreadableError: with the reason.
        """
        x = as_bytes(voxels(item))
        shape = tuple(x.shape)
        if shape != self.shape:
            factor = min(1.0, *(want / have for want, have in zip(self.shape, shape)))
            if factor < 1:
                d, h, w = (min(max(1, round(n * factor)), m) for n, m in zip(shape, self.shape))
                x = F.adaptive_avg_pool3d(x[None].float(), (d, h, w))[0].round().byte()
            spare = [want - have for want, have in zip(self.shape, x.shape)]
            x = F.pad(x, [n for s in reversed(spare) for n in (s // 2, s - s // 2)])
        return x[None]


def voxels(item: Any) -> np.ndarray:
    """The array of one volume, three axes of more than one voxel each.

    Raises:
        UnreadableError: when it cannot be read, or is no single volume.
    """
    if isinstance(item, str):
        array = read_nifti(item)
    else:
        array = item.numpy(force=True) if isinstance(item, Tensor) else np.asarray(item)
    if array.dtype.kind not in "buif":
        raise UnreadableError(f"holds {array.dtype}, not numbers")
    shape = " x ".join(map(str, array.shape))
    if array.ndim > 3:
        array = array.reshape([n for n in array.shape if n > 1] if array.size else array.shape)
        if array.ndim > 3:
            raise UnreadableError(f"has {array.ndim} axes ({shape}); give one volume at a time")
    if array.ndim < 3 or min(array.shape) < 2:
        raise UnreadableError(f"has shape {shape}, which is no volume")
    return array


def as_bytes(array: np.ndarray) -> UInt8[Tensor, "depth height width"]:
    """Bytes as they are and booleans as 0 and 255; anything else from its own lowest to its highest voxels,
    by ``PERCENTILES``. NaN and infinity become the lowest.

    Raises:
        UnreadableError: when no voxel is finite.
    """
    if array.dtype == np.uint8:
        return torch.from_numpy(np.ascontiguousarray(array))
    if array.dtype == bool:
        return torch.from_numpy(array.astype(np.uint8) * 255)
    x = array.astype(np.float64 if array.dtype.itemsize > 4 else np.float32)
    finite = np.isfinite(x)
    if not finite.any():
        raise UnreadableError("holds no finite voxel")
    known = x if finite.all() else x[finite]
    known = known.clip(-LARGEST, LARGEST) if x.dtype == np.float64 else known
    low, high = np.percentile(known, PERCENTILES)
    if low == high:  # nearly all is background
        low, high = known.min(), known.max()
    if low == high:
        return torch.zeros(x.shape, dtype=torch.uint8)
    low, high = float(low), float(high)
    between = np.where(finite, x, low).clip(low, high).astype(np.float64)
    half = high / 2 - low / 2  # the whole may overflow
    return torch.from_numpy(((between / 2 - low / 2) / half * 255).round().astype(np.uint8))


def choose_canvas(shapes: Sequence[Shape], size: int | None) -> tuple[Canvas, str]:
    """The canvas for volumes of these shapes, and a note on them.

    The median of each side; its longest is ``size`` where given. Volumes that all have one shape of at most
    ``MAX_KEPT_SIDE`` keep it, other ones are brought to ``MAX_CANVAS`` at most and to multiples of 8.
    """
    middle = [sorted(sides)[len(shapes) // 2] for sides in zip(*shapes)]
    alike = len(set(shapes)) == 1
    longest = max(middle)
    if size is not None:
        canvas = [max(2, round(n * size / longest)) for n in middle]
    elif alike and longest <= MAX_KEPT_SIDE:
        canvas = middle
    else:
        canvas = [max(8, 8 * round(n * min(1, MAX_CANVAS / longest) / 8)) for n in middle]
    if alike and canvas == middle:
        return Canvas(*canvas), ""
    sides = [n for shape in shapes for n in shape]
    was = by(shapes[0]) if alike else f"{min(sides):,} to {max(sides):,} voxels a side"
    return Canvas(*canvas), f"{was}, brought to {by(canvas)}"


def cubes(x: UInt8[Tensor, "depth height width"], side: int) -> UInt8[Tensor, "cubes 1 side side side"]:
    """The cubes of ``side`` voxels that a volume has side by side, from its middle; empty ones left out.

    Raises:
        InputError: when it is smaller than one cube.
    """
    if min(x.shape) < side:
        raise InputError(
            f"a volume of {by(x.shape)} holds no cube of {side} voxels a side; give a smaller size"
        )
    counts = [n // side for n in x.shape]
    starts = [(n - k * side) // 2 for n, k in zip(x.shape, counts)]
    for axis, (start, k) in enumerate(zip(starts, counts)):
        x = x.narrow(axis, start, k * side)
    a, b, c = counts
    cut = x.reshape(a, side, b, side, c, side).permute(0, 2, 4, 1, 3, 5).reshape(-1, 1, side, side, side)
    return cut[cut.flatten(1).amax(1) > cut.flatten(1).amin(1)].contiguous()


def by(shape: Sequence[int]) -> str:
    """``48 x 64 x 48``."""
    return " x ".join(map(str, shape))


def looks_like_volume(item: Any) -> bool:
    """Whether an object is one volume: a NIfTI file, or an array whose three axes are no image's."""
    if isinstance(item, str):
        return is_nifti(item)
    shape = [n for n in getattr(item, "shape", ()) if n > 1]
    return len(shape) == 3 and 3 not in shape
