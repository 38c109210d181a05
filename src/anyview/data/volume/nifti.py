"""NIfTI files through nibabel (extra ``volume``)."""

import gzip
import math
import os
from typing import Any

import numpy as np

from anyview.data.source import UnreadableError
from anyview.errors import InputError

MAX_VOXELS = 2**30  #: a file that claims more is taken for a trap; zeros compress to a thousandth
MAX_REST = 2**20  #: bytes that may follow the voxels
EXTENSIONS = (".nii", ".nii.gz")


def is_nifti(path: str | os.PathLike[str]) -> bool:
    return str(path).lower().endswith(EXTENSIONS)


def read_nifti(path: str) -> np.ndarray:
    """The voxels, with axes from left to right, back to front and bottom to top, whichever way they lie in the
    file (the nearest such order; nothing is resampled).

    Raises:
        UnreadableError: with the reason.
        InputError: when nibabel is not installed.
    """
    image = _open(path)
    try:
        import nibabel

        if path.lower().endswith(".gz"):
            image = _unpacked(image, path)
        if len(image.shape) == 3:
            image = nibabel.as_closest_canonical(image)
        return np.asanyarray(image.dataobj)
    except UnreadableError:
        raise
    except Exception as error:  # broken files raise all kinds
        raise UnreadableError(" ".join(str(error).split())[:160] or type(error).__name__) from error


def _unpacked(image: Any, path: str) -> Any:
    """The same image, read to the end of its file, where the checksum is; nibabel stops at the last voxel."""
    size = image.dataobj.offset + math.prod(image.shape) * image.dataobj.dtype.itemsize
    with gzip.open(path) as file:
        content, rest = file.read(size), file.read(MAX_REST)
    if len(rest) == MAX_REST:
        raise UnreadableError("is much longer than its head says")
    return type(image).from_bytes(content)


def nifti_shape(path: str) -> tuple[int, ...] | None:
    """The shape by the header alone, in the order of ``read_nifti``; None when there is none."""
    try:
        import nibabel

        image = _open(path)
        if len(image.shape) != 3:
            return tuple(image.shape)
        order = nibabel.orientations.io_orientation(image.affine)[:, 0]
        return tuple(image.shape[int(np.flatnonzero(order == axis)[0])] for axis in range(3))
    except (UnreadableError, IndexError):
        return None


def _open(path: str) -> Any:
    try:
        import nibabel
    except ImportError as error:
        raise InputError(
            'reading NIfTI files needs nibabel; install it with: pip install "anyview[volume]"'
        ) from error
    try:
        image: Any = nibabel.load(path)
        shape = image.shape
        aimless = not np.isfinite(image.affine).all() or np.linalg.matrix_rank(image.affine) < 4
    except Exception as error:
        raise UnreadableError(" ".join(str(error).split())[:160] or type(error).__name__) from error
    if math.prod(shape) > MAX_VOXELS:
        raise UnreadableError(f"claims {' x '.join(map(str, shape))} voxels, more than can be right")
    if aimless:
        raise UnreadableError("has an affine that says no directions")
    return image
