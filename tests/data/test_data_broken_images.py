"""Images as they come: what each broken or unusual file becomes, beside three good ones."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from broken import Case, behaves, everything
from PIL import Image

from anyview import data

GRAY = np.arange(24 * 32, dtype=np.uint8).reshape(24, 32)
COLOUR = np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]], axis=2)


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


PNG, JPEG = saved(Image.fromarray(COLOUR)), saved(Image.fromarray(COLOUR), "JPEG")


def claims(width: int, height: int) -> bytes:
    """A PNG whose head says another size than it has."""
    head = b"IHDR" + struct.pack(">II", width, height) + PNG[24:29]
    return PNG[:12] + head + struct.pack(">I", zlib.crc32(head)) + PNG[33:]


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(Image.fromarray(COLOUR), "JPEG", exif=exif)


def animated() -> bytes:
    frames = [Image.fromarray(GRAY + i) for i in (0, 40, 80)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:])


def beside(content: bytes, name: str) -> Callable[[Path], None]:
    """A file beside three good ones."""

    def make(folder: Path) -> None:
        for i in range(3):
            (folder / f"good{i}.png").write_bytes(PNG)
        (folder / name).write_bytes(content)

    return make


def left(what: str, content: bytes, says: str = "", name: str = "a.png") -> Case:
    return Case(what, beside(content, name), 3, 1, says)


def read(what: str, content: bytes, becomes: str = "", name: str = "a.png") -> Case:
    return Case(what, beside(content, name), 4, becomes=becomes)


TABLE = [
    left("nothing", b""),
    left("zeros", bytes(4096)),
    left("only the signature", PNG[:8]),
    left("a cut head", PNG[:20]),
    left("cut in the middle", PNG[: len(PNG) // 2]),
    left("a JPEG cut in the middle", JPEG[: len(JPEG) // 2], name="a.jpg"),
    left("a wrong checksum", PNG[:20] + b"\xff" + PNG[21:]),
    left("text", b"hello"),
    left("a web page", b"<html><script>alert(1)</script></html>", name="a.jpg"),
    left("PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    left("a size of zero", claims(0, 24)),
    left("gigapixels", claims(100_000, 100_000)),
    read("more rows than there are", claims(32, 4000), "the rest black"),  # Pillow leaves these black
    left("NaN", saved(Image.fromarray(np.full((8, 8), np.nan, np.float32)), "TIFF"), name="a.tiff"),
    read("a JPEG that is called PNG", JPEG),
    read("what follows the end", PNG + b"PK\x03\x04 and more"),
    read("one pixel", saved(Image.fromarray(COLOUR[:1, :1]))),
    read("a line", saved(Image.fromarray(COLOUR[:1]))),
    read("16 bits", saved(Image.fromarray(GRAY.astype(np.uint16) * 257)), "by their full range"),
    read("one bit", saved(Image.fromarray(GRAY > 9))),
    read("fractions", saved(Image.fromarray(GRAY.astype(np.float32) / 255), "TIFF"), name="a.tiff"),
    read("CMYK", saved(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"), "as colour", name="a.jpg"),
    read("a palette", saved(Image.fromarray(COLOUR).convert("P")), "as colour"),
    read("transparency", saved(Image.fromarray(COLOUR).convert("RGBA")), "on white"),
    read("gray with transparency", saved(Image.fromarray(GRAY).convert("LA")), "on white"),
    read("animated", animated(), "the first picture", name="a.gif"),
    read("turned by EXIF", turned(), "upright", name="a.jpg"),
    read("a name in another script", PNG, name="Ωμέγα 図 🙂.png"),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_each_is_read_or_left_out_and_said(case: Case, tmp_path: Path) -> None:
    behaves(case, tmp_path, "image")
    found = data.open(tmp_path)
    assert found.modality == "image"
    assert everything(found).dtype == torch.uint8
    assert [Path(entry.path).name[:2] for entry in found.skipped] == ["a."] * case.left
