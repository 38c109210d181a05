"""NIfTI files through nibabel (extra ``volume``)."""

import os
from typing import Any

import numpy as np

from anyview.data.source import UnreadableError
from anyview.errors import InputError

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

        if len(image.shape) == 3:
            image = nibabel.as_closest_canonical(image)
        return np.asanyarray(image.dataobj)
    except Exception as error:  # broken files raise all kinds
        raise UnreadableError(" ".join(str(error).split())[:160] or type(error).__name__) from error


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
        return nibabel.load(path)
    except Exception as error:
        raise UnreadableError(" ".join(str(error).split())[:160] or type(error).__name__) from error
