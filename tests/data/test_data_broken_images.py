"""Images as they come: what each broken or unusual file becomes, beside three good ones."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
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


#: name of the file, what it holds, and whether it is read or left out
TABLE: dict[str, tuple[str, Callable[[], bytes], bool]] = {
    "nothing": ("a.png", lambda: b"", False),
    "zeros": ("a.png", lambda: bytes(4096), False),
    "only the signature": ("a.png", lambda: PNG[:8], False),
    "a cut head": ("a.png", lambda: PNG[:20], False),
    "cut in the middle": ("a.png", lambda: PNG[: len(PNG) // 2], False),
    "a JPEG cut in the middle": ("a.jpg", lambda: JPEG[: len(JPEG) // 2], False),
    "a wrong checksum": ("a.png", lambda: PNG[:20] + b"\xff" + PNG[21:], False),
    "text": ("a.png", lambda: b"hello", False),
    "a web page": ("a.jpg", lambda: b"<html><script>alert(1)</script></html>", False),
    "PostScript": ("a.png", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", False),
    "a size of zero": ("a.png", lambda: claims(0, 24), False),
    "gigapixels": ("a.png", lambda: claims(100_000, 100_000), False),
    "more rows than there are": ("a.png", lambda: claims(32, 4000), True),  # Pillow leaves these black
    "NaN": ("a.tiff", lambda: saved(Image.fromarray(np.full((8, 8), np.nan, np.float32)), "TIFF"), False),
    "a JPEG that is called PNG": ("a.png", lambda: JPEG, True),
    "what follows the end": ("a.png", lambda: PNG + b"PK\x03\x04 and more", True),
    "one pixel": ("a.png", lambda: saved(Image.fromarray(COLOUR[:1, :1])), True),
    "a line": ("a.png", lambda: saved(Image.fromarray(COLOUR[:1])), True),
    "16 bits": ("a.png", lambda: saved(Image.fromarray(GRAY.astype(np.uint16) * 257)), True),
    "one bit": ("a.png", lambda: saved(Image.fromarray(GRAY > 9)), True),
    "fractions": ("a.tiff", lambda: saved(Image.fromarray(GRAY.astype(np.float32) / 255), "TIFF"), True),
    "CMYK": ("a.jpg", lambda: saved(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"), True),
    "a palette": ("a.png", lambda: saved(Image.fromarray(COLOUR).convert("P")), True),
    "transparency": ("a.png", lambda: saved(Image.fromarray(COLOUR).convert("RGBA")), True),
    "gray with transparency": ("a.png", lambda: saved(Image.fromarray(GRAY).convert("LA")), True),
    "animated": ("a.gif", animated, True),
    "turned by EXIF": ("a.jpg", turned, True),
    "a name in another script": ("Ωμέγα 図 🙂.png", lambda: PNG, True),
}


@pytest.fixture(params=TABLE)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[data.Dataset, bool]:
    name, content, read = TABLE[request.param]
    for i in range(3):
        (tmp_path / f"good{i}.png").write_bytes(PNG)
    (tmp_path / name).write_bytes(content())
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of Pillow: whoever reads the list of what was left out needs no more
        return data.open(tmp_path), read


def test_each_is_read_or_left_out_and_said(opened: tuple[data.Dataset, bool]) -> None:
    found, read = opened
    assert len(found.train) == 3 + read
    batch = found.train.fetch(torch.arange(len(found.train)))
    assert batch.x.dtype == torch.uint8
    assert batch.x.shape == (3 + read, *found.spec["shape"])
    assert len(found.skipped) == (not read)
    for entry in found.skipped:
        assert entry.reason
        assert entry.reason.isprintable()
        assert entry.path.endswith(("a.png", "a.jpg", "a.tiff"))
