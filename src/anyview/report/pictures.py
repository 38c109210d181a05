"""Arrays of pixels as data URIs, small enough for a page that carries its pictures in itself."""

import base64
import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

SHEET_COLUMNS = 40
MOST_PNG = 600_000  # bytes of a sheet of thumbnails as PNG; beyond it (photographs) JPEG takes a quarter


def to_rgb(pixels: UInt8[np.ndarray, "*n a b c"]) -> UInt8[np.ndarray, "*n h w channels"]:
    """Channels last and 1 or 3 of them, from channels first or last and any number.

    Of two channels or more than four the first is shown: there is no true colour to show.
    """
    if pixels.shape[-1] not in (1, 3, 4) and pixels.shape[-3] <= 4:
        pixels = np.moveaxis(pixels, -3, -1)
    channels = pixels.shape[-1]
    return np.ascontiguousarray(pixels[..., :3] if channels in (3, 4) else pixels[..., :1])


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0])


def _bytes(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    options = {"optimize": True} if kind == "PNG" else {"quality": 82}
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _uri(content: bytes, kind: str = "PNG") -> str:
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content).decode()}"


def png(pixels: UInt8[np.ndarray, "h w channels"], side: int, least: int = 0) -> bytes:
    """One PNG whose longer side is at most ``side`` pixels; small pictures stay as they are, or where that is less
    than ``least`` have every pixel as a square."""
    image = _image(pixels)
    if max(image.size) < least:
        times = -(-least // max(image.size))
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _bytes(image)


def picture(pixels: UInt8[np.ndarray, "h w channels"], side: int) -> str:
    """As ``png``, as a data URI."""
    return _uri(png(pixels, side))


def sheet(
    thumbs: UInt8[np.ndarray, "n h w channels"], side: int = 40
) -> tuple[str, tuple[int, int], tuple[int, int]]:
    """All thumbnails on one sheet, row by row: data URI, (columns, rows), (width, height) of a tile."""
    n, height, width = thumbs.shape[:3]
    if max(height, width) > side:
        shrink = side / max(height, width)
        width, height = max(1, round(width * shrink)), max(1, round(height * shrink))
        small = [np.asarray(_image(t).resize((width, height), Image.Resampling.BOX)) for t in thumbs]
        thumbs = np.stack(small).reshape(n, height, width, -1)
    columns = min(SHEET_COLUMNS, n)
    rows = -(-n // columns)
    tiles = np.zeros((rows * columns, *thumbs.shape[1:]), np.uint8)
    tiles[:n] = thumbs
    grid = tiles.reshape(rows, columns, height, width, -1).swapaxes(1, 2)
    image = _image(grid.reshape(rows * height, columns * width, -1))
    uri = _uri(_bytes(image))
    if len(uri) > MOST_PNG:
        uri = _uri(_bytes(image, "JPEG"), "JPEG")
    return uri, (columns, rows), (width, height)
