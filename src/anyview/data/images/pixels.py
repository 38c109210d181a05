"""Image files and objects -> uint8 tensors on a canvas: every format Pillow reads, every mode, made alike."""

import io
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from anyview.data.source import Items, Skipped, UnreadableError

Image.init()
# Tried in this order. Left out: what runs another program to draw (EPS, WMF), and mere stubs of formats.
_COMMON = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]
_UNWANTED = {"EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5"}
FORMATS = _COMMON + [name for name in Image.OPEN if name not in _UNWANTED | set(_COMMON)]
EXTENSIONS = {extension for extension, name in Image.registered_extensions().items() if name in FORMATS}
#: an image that claims more pixels than this is taken for a decompression bomb
MAX_PIXELS = 150_000_000
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # MAX_PIXELS is the limit here

_GRAY = {"1", "L", "LA", "La", "I", "F"}
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Header:
    """What can be known of an image without decoding it; sizes in pixels, upright."""

    height: int
    width: int
    gray: bool


@dataclass(frozen=True)
class Canvas:
    """What every image is brought to.

    The shorter side is scaled to the canvas (antialiased, bicubic) and the middle is cut out, so that aspect
    is kept. Colour over transparency is laid on white; 16-bit grays are scaled to 8 bits by their full range.

    Attributes:
        share: of each side of what is cut out, how much is seen: the middle of it, without what lies around.
    """

    channels: int
    height: int
    width: int
    share: float = 1.0

    @property
    def border(self) -> float:
        """Share of each side that is left out at either end."""
        return (1 - self.share) / 2

    def __call__(self, item: Any) -> UInt8[Tensor, "channels height width"]:
        """Decodes a path, encoded bytes, a Pillow image, or an array or tensor.

        Raises:
            UnreadableError: with the reason.
        """
        with opened(item) as image:
            if image is not item:
                # A JPEG decodes at a fraction of its size; twice the canvas leaves the resizing its quality.
                enough = math.ceil(2 * self.width / self.share), math.ceil(2 * self.height / self.share)
                image.draft("L" if self.channels == 1 else "RGB", enough)
            upright = ImageOps.exif_transpose(image) if image.getexif().get(_ORIENTATION, 1) != 1 else image
            seen = convert(upright, self.channels)
            if seen.size != (self.width, self.height) or self.border:
                size, method = (self.width, self.height), Image.Resampling.BICUBIC
                seen = ImageOps.fit(seen, size, method, bleed=self.border)
            pixels = np.array(seen)
        return torch.from_numpy(pixels).reshape(self.height, self.width, -1).permute(2, 0, 1).contiguous()


@contextmanager
def opened(item: Any) -> Iterator[Image.Image]:
    """A Pillow image of a path, encoded bytes, a Pillow image, an array or a tensor, not decoded yet; what was opened
    for it is closed again, whatever happens.

    Raises:
        UnreadableError: with the reason, also for whatever a decoder raises inside.
    """
    image = None
    try:
        if isinstance(item, Image.Image):
            image = item
        elif isinstance(item, Tensor | np.ndarray):
            image = _from_array(item)
        elif isinstance(item, bytes):
            image = Image.open(io.BytesIO(item), formats=FORMATS)
        elif isinstance(item, str | os.PathLike):
            image = Image.open(item, formats=FORMATS)
        else:
            raise UnreadableError(f"is a {type(item).__name__}, not an image")
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableError(f"claims {image.width:,} x {image.height:,} pixels, more than can be right")
        yield image
    except UnreadableError:
        raise
    except Exception as error:  # decoders of broken files raise all kinds
        raise UnreadableError(_reason(error)) from error
    finally:
        if image is not None and image is not item:
            image.close()


def read_classes(item: Any, like: Any, canvas: Canvas) -> UInt8[Tensor, "height width"]:
    """A picture whose pixels are numbers of classes (gray or palette), on the canvas as its image ``like`` is.

    Raises:
        UnreadableError: when it is none, or is not of the shape of its image.
    """
    header = read_header(like)
    with opened(item) as image:
        if image.mode not in ("L", "P", "1"):
            raise UnreadableError(f"is no map of classes: its pixels are {image.mode}, not numbers up to 255")
        if abs(image.width * header.height - image.height * header.width) > max(image.size):
            size = f"{image.height} x {image.width}"
            raise UnreadableError(
                f"is {size} and its image {header.height} x {header.width}: not of the same shape"
            )
        numbers = Image.fromarray(np.array(image).astype(np.uint8))
        side, method = (canvas.width, canvas.height), Image.Resampling.NEAREST
        numbers = ImageOps.fit(numbers, side, method, bleed=canvas.border)
        return torch.from_numpy(np.array(numbers))


def read_header(item: Any) -> Header:
    """Size and kind of an image, without decoding it."""
    with opened(item) as image:
        gray = image.mode in _GRAY or image.mode.startswith("I;16")
        turned = image.getexif().get(_ORIENTATION, 1) >= 5
        width, height = image.size[::-1] if turned else image.size
        return Header(height, width, gray)


def convert(image: Image.Image, channels: int) -> Image.Image:
    """8-bit gray or RGB; what is transparent becomes white."""
    mode = "L" if channels == 1 else "RGB"
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    return image if image.mode == mode else image.convert(mode)


def _to_8_bits(gray: np.ndarray) -> np.ndarray:
    """16-bit integers by their full range; floats in 0..1 or 0..255; anything wider by its own range."""
    if not np.isfinite(gray).all():
        raise UnreadableError("holds NaN or infinity")
    low, high = float(gray.min()), float(gray.max())
    if gray.dtype.kind == "f" and low >= 0 and high <= 1:
        return (gray * 255).round().astype(np.uint8)
    if gray.dtype.itemsize > 2 and low >= 0 and high <= 255:
        return gray.round().astype(np.uint8)
    if low >= 0 and high <= 65535 and gray.dtype.kind in "iu":
        return (gray.astype(np.float32) / 257).round().astype(np.uint8)
    return ((gray - low) * (255 / max(high - low, 1e-12))).round().astype(np.uint8)


def _from_array(item: Tensor | np.ndarray) -> Image.Image:
    array = item.numpy(force=True) if isinstance(item, Tensor) else item
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise UnreadableError(f"has shape {tuple(item.shape)}, not that of an image with 1 or 3 channels")
    if array.dtype.kind == "f" and not (array.min() >= 0 and array.max() <= 255):
        raise UnreadableError(
            f"has values from {array.min():.3g} to {array.max():.3g}; give 0..1 or 0..255, not normalised"
        )
    return Image.fromarray(np.ascontiguousarray(array if array.dtype == np.uint8 else _to_8_bits(array)))


def decode_all(
    items: Items, canvas: Canvas, where: Callable[[int], str], threads: int
) -> tuple[UInt8[Tensor, "readable channels height width"], Tensor, list[Skipped]]:
    """All images of a split: pixels of the readable ones, their places, and the others with reasons."""
    pixels = torch.empty(len(items), canvas.channels, canvas.height, canvas.width, dtype=torch.uint8)

    def one(place: int) -> None:
        pixels[place] = canvas(items[place])

    failed = _each(one, len(items), threads)[1]
    keep = torch.ones(len(items), dtype=torch.bool)
    keep[list(failed)] = False
    skipped = [Skipped(where(place), reason) for place, reason in failed.items()]
    return (pixels[keep] if failed else pixels), keep.nonzero()[:, 0], skipped


def read_headers(
    items: Items, places: Sequence[int], threads: int
) -> tuple[dict[int, Header], dict[int, str]]:
    """Headers of the images at these places, and the reasons of those that have none."""
    done, failed = _each(lambda i: read_header(items[places[i]]), len(places), threads)
    return {places[i]: header for i, header in done.items()}, {
        places[i]: reason for i, reason in failed.items()
    }


def _each(work: Callable[[int], Any], count: int, threads: int) -> tuple[dict[int, Any], dict[int, str]]:
    """``work`` for 0..count-1 in threads, as Pillow decodes outside the interpreter's lock."""

    def run(start: int) -> tuple[dict[int, Any], dict[int, str]]:
        done: dict[int, Any] = {}
        failed: dict[int, str] = {}
        for i in range(start, min(start + 64, count)):
            try:
                done[i] = work(i)
            except UnreadableError as error:
                failed[i] = str(error)
        return done, failed

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(run, range(0, count, 64)))
    return ({k: v for d, _ in parts for k, v in d.items()}, {k: v for _, f in parts for k, v in f.items()})


def _reason(error: Exception) -> str:
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "is no image that can be read"
    return " ".join(str(error).split())[:160] or type(error).__name__
