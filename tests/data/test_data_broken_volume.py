"""Volumes as they come: what each broken or unusual file or array becomes, beside two good ones."""

import functools
import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from broken import Case, behaves, everything, given

VOXELS = np.arange(8 * 9 * 10, dtype=np.uint8).reshape(8, 9, 10)
HEAD = 352  #: bytes before the voxels


@functools.cache
def plain() -> bytes:
    return nibabel.Nifti1Image(VOXELS, np.eye(4)).to_bytes()


def nifti(x: np.ndarray, affine: np.ndarray | None = None, order: str = "<") -> bytes:
    head = nibabel.Nifti1Header(endianness=order)
    head.set_data_dtype(x.dtype)
    return nibabel.Nifti1Image(x, np.eye(4) if affine is None else affine, head).to_bytes()


def field(at: int, form: str, *values: float) -> bytes:
    """The good file with other numbers in its head."""
    return plain()[:at] + struct.pack(form, *values) + plain()[at + struct.calcsize(form) :]


def shape(*sides: int) -> bytes:
    return field(40, f"<{1 + len(sides)}h", len(sides), *sides)


def beside(content: bytes, name: str = "x.nii") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for i in range(2):
            (folder / f"good{i}.nii").write_bytes(plain())
        (folder / name).write_bytes(content)

    return make


def left(what: str, content: bytes, says: str = "", name: str = "x.nii") -> Case:
    return Case(what, beside(content, name), 2, 1, says)


def read(
    what: str, content: bytes, becomes: str = "", holds: Callable | None = None, name: str = "x.nii"
) -> Case:
    return Case(what, beside(content, name), 3, becomes=becomes, holds=holds)


def third(found) -> torch.Tensor:
    return everything(found)[2, 0]


def same(found) -> bool:
    return torch.equal(third(found), torch.as_tensor(VOXELS))


def rising(found) -> bool:
    """From dark to bright, in the order of the file."""
    values = third(found).flatten().int()
    return bool((values.diff() >= 0).all() and values[0] == 0 and values[-1] == 255)


def dark(found) -> bool:
    return not third(found).any()


def spoiled(value: float) -> np.ndarray:
    x = np.arange(720, dtype=np.float32).reshape(8, 9, 10)
    x[0, 0, :3] = value
    return x


def packed(**arrays: object) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.savez(folder / "v.npz", **arrays)
        return folder / "v.npz"

    return make


RAMP = np.arange(720).reshape(8, 9, 10)
FLIPPED = np.diag([-1.0, 1, 1, 1])
TWO = np.stack([VOXELS, VOXELS])
TABLE = [
    left("nothing", b""),
    left("zeros", bytes(4096)),
    left("text", b"hello"),
    left("a cut head", plain()[:200]),
    left("a head and no voxels", plain()[:HEAD]),
    left("cut in the middle", plain()[: HEAD + 300]),
    left("compressed and cut in the middle", gzip.compress(plain())[:400], name="x.nii.gz"),
    left("compressed, with flipped bits", gzip.compress(plain())[:300] + bytes(50) + gzip.compress(plain())[350:], name="x.nii.gz"),
    left("plain that is called compressed", plain(), name="x.nii.gz"),
    left("compressed that is called plain", gzip.compress(plain())),
    left("a side below 0", shape(8, -9, 10)),
    left("a side of 0", shape(8, 0, 10), "which is no volume"),
    left("30,000 voxels a side, and 720 in the file", shape(30_000, 30_000, 30_000), "more than can be right"),
    left("8,000 megabytes of zeros, compressed to 8", gzip.compress(shape(2000, 2000, 2000) + bytes(10**6), 1),
         "more than can be right", "x.nii.gz"),
    left("a type that does not exist", field(70, "<h", 7777)),
    left("two axes", nifti(VOXELS[0]), "which is no volume"),
    left("a side of one voxel", nifti(VOXELS[:1]), "which is no volume"),
    left("a series of volumes", nifti(np.stack([VOXELS, VOXELS], 3)), "give one volume at a time"),
    left("complex numbers", nifti(VOXELS * np.complex64(1j)), "not numbers"),
    left("colours", nifti(np.zeros((8, 9, 10), [("R", "u1"), ("G", "u1"), ("B", "u1")])), "not numbers"),
    left("NaN throughout", nifti(np.full((8, 9, 10), np.nan, np.float32)), "holds no finite voxel"),
    left("a table beside them", b"a,b\n1,2\n", "is no NIfTI file", "x.csv"),
    read("a fourth axis of one", nifti(VOXELS[..., None]), holds=same),
    read("NaN and infinity", nifti(spoiled(np.nan)), "as the darkest", rising),
    read("infinity below", nifti(spoiled(-np.inf)), "as the darkest", rising),
    read("one voxel of 1e38 among small ones", nifti(spoiled(1e38)[:, ::-1].copy()), holds=lambda f: len(third(f).unique()) > 50),
    read("voxels from -3e38 to 3e38", nifti(np.linspace(-3e38, 3e38, 720, dtype=np.float32).reshape(8, 9, 10)), holds=rising),
    read("voxels of 1e300", nifti(RAMP * 1e297), holds=rising),
    read("the smallest numbers there are", nifti((RAMP * 1e-320).astype(np.float64)), "from dark to bright", rising),
    read("all the same", nifti(np.full((8, 9, 10), 7.0, np.float32)), "dark", dark),
    read("16 bits with a sign", nifti((RAMP - 400).astype(np.int16)), "from dark to bright", rising),
    read("64-bit whole numbers", nifti(RAMP.astype(np.int64) * 2**52), "from dark to bright", rising),
    read("the other order of bytes", nifti(RAMP.astype(">i2"), order=">"), "from dark to bright", rising),
    read("a scale of NaN", field(112, "<f", np.nan), "unscaled", same),
    read("a scale of 0", field(112, "<f", 0.0), "unscaled", same),
    left("an affine of zeros", field(280, "<12f", *[0.0] * 12), "says no directions"),
    left("an affine of NaN", field(280, "<12f", *[np.nan] * 12), "says no directions"),
    read("from right to left", nifti(VOXELS, FLIPPED), "turned", lambda f: torch.equal(third(f), torch.as_tensor(VOXELS).flip(0))),
    read("what follows the end", plain() + b"PK\x03\x04 and more", holds=same),
    read("compressed", gzip.compress(plain()), holds=same, name="x.nii.gz"),
    read("another size", nifti(VOXELS[:4, :4, :4]), "filled with zeros around it"),
    read("a name in another script", plain(), holds=same, name="Ωμέγα 図 🙂.nii"),
    Case("an array of words", given(TWO.astype(str)), says="as volume"),
    Case("an array of complex numbers", given(TWO * 1j), says="as volume"),
    Case("an array of no volumes", given(TWO[:0]), says="as volume"),
    Case("an array of two axes", given(VOXELS[0]), says="as volume"),
    Case("volumes of no voxels", given(TWO[:, :0]), says="as volume"),
    Case("None and images in a list", given([VOXELS, None, VOXELS[0], VOXELS]), 2, 2, ""),
    Case("bits with a shape that is too large", packed(voxels=np.zeros((3, 4), np.uint8), shape=np.array([9, 9, 9])), says="as volume"),
    Case("bits with a shape below 0", packed(voxels=np.zeros((3, 4), np.uint8), shape=np.array([-1, -4, 8])), says="as volume"),
    Case("bits with a shape of fractions", packed(voxels=np.zeros((3, 4), np.uint8), shape=np.array([2.5, 2, 2])), says="as volume"),
    Case("labels of fewer volumes", packed(volume=TWO, label=np.array([1])), 2, becomes="without labels",
         holds=lambda f: f.train.label is None),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_each_volume_is_read_left_out_or_refused(case: Case, tmp_path: Path) -> None:
    behaves(case, tmp_path, "volume")
