"""A clip of any length and origin -> a fixed number of frames, evenly spread, uint8 on a canvas."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from anyview.data.images.pixels import Canvas, Header, read_header
from anyview.data.source import UnreadableError
from anyview.errors import InputError

#: frames a clip is held with
FRAMES = 16
EXTENSIONS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ogv")
#: also read as videos when they are asked for; else they are images
ALSO = (".gif",)
#: clips that all have one size of at most this many pixels a side keep it
MAX_KEPT_SIDE = 64
#: otherwise the side is the median one and this at most
MAX_CANVAS = 112


@dataclass(frozen=True)
class ClipCanvas:
    """What every clip is brought to: ``frames`` of them, evenly spread over its length (each twice or more when
    it has fewer), each on a ``Canvas`` as an image is."""

    channels: int
    frames: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.channels, self.frames, self.height, self.width

    def __call__(self, item: Any) -> UInt8[Tensor, "channels frames height width"]:
        """Decodes the path of a video, a list of frames (paths, encoded bytes), or an array of one clip
        ``(frames, ...)`` with frames as images are.

        Raises:
            UnreadableError: with the reason.
        """
        canvas = Canvas(self.channels, self.height, self.width)
        if isinstance(item, str):
            return torch.stack([canvas(frame) for frame in read_video(item, self.frames)], 1)
        places = spread(len(item), self.frames)
        decoded = {place: canvas(item[place]) for place in set(places)}
        return torch.stack([decoded[place] for place in places], 1)


def spread(count: int, wanted: int) -> list[int]:
    """``wanted`` of 0..count-1 in order: the middles of as many equal parts.

    Raises:
        UnreadableError: for a clip of fewer than two frames.
    """
    if count < 2:
        raise UnreadableError(f"has {count} frame{'' if count == 1 else 's'}; a clip needs two or more")
    return [int((i + 0.5) * count / wanted) for i in range(wanted)]


def is_video(path: str | os.PathLike[str], extensions: Sequence[str] = EXTENSIONS) -> bool:
    return str(path).lower().endswith(tuple(extensions))


def read_video(path: str, wanted: int) -> list[Any]:
    """``wanted`` frames of a video as Pillow images, spread evenly over those that can be decoded.

    Raises:
        UnreadableError: when it is no video, or fewer than two frames can be decoded.
        InputError: when PyAV is not installed.
    """
    places = spread(sum(1 for _ in _decode(path)), wanted)
    needed = set(places)
    kept = {place: frame.to_image() for place, frame in enumerate(_decode(path)) if place in needed}
    return [kept[place] for place in places]


def video_header(path: str) -> Header:
    """Size and kind of a video by its container, without decoding it; errors as of ``read_video``."""
    with _open(path) as container:
        stream = _stream(container)
        # where nothing is known of the picture, some versions of PyAV raise AttributeError
        gray = (getattr(stream.codec_context, "pix_fmt", None) or "").startswith("gray")
        return Header(stream.codec_context.height, stream.codec_context.width, gray)


def header(item: Any) -> Header:
    """Size and kind of the first frame of a clip."""
    if isinstance(item, str):
        return video_header(item)
    spread(len(item), 2)
    return read_header(item[0])


def _decode(path: str) -> Iterator[Any]:
    """The frames of a video up to the first that is broken."""
    import av

    with _open(path) as container:
        try:
            yield from container.decode(_stream(container))
        except av.FFmpegError:
            return


def _open(path: str) -> Any:
    try:
        import av
    except ImportError as error:
        raise InputError(
            'reading videos needs PyAV; install it with: pip install "anyview[video]"'
        ) from error
    try:
        return av.open(path)
    except (av.FFmpegError, OSError) as error:
        reason = " ".join(str(error).replace(path, "").split()).rstrip(": '")
        raise UnreadableError(f"is no video that can be read ({reason})") from error


def _stream(container: Any) -> Any:
    stream = next(iter(container.streams.video), None)
    if stream is None:
        raise UnreadableError("has no video stream")
    if stream.codec_context is None:
        raise UnreadableError("has a video stream of an unknown codec")
    return stream


def choose_canvas(headers: Sequence[Header], size: int | None) -> tuple[ClipCanvas, str]:
    """The canvas for clips with these headers, and a note on their sizes: ``size`` pixels a side where given;
    one size of at most ``MAX_KEPT_SIDE`` as it is; else the median of the shorter sides, to a multiple of 8 and
    at most ``MAX_CANVAS``. Only when all are gray is there one channel."""
    channels = 1 if all(h.gray for h in headers) else 3
    first = headers[0]
    sides = sorted(min(h.height, h.width) for h in headers)
    alike = all((h.height, h.width) == (first.height, first.width) for h in headers)
    if size is not None:
        height = width = size
    elif alike and max(first.height, first.width) <= MAX_KEPT_SIDE:
        height, width = first.height, first.width
    else:
        height = width = min(MAX_CANVAS, max(8, 8 * round(sides[len(sides) // 2] / 8)))
    canvas = ClipCanvas(channels, FRAMES, height, width)
    if alike and (first.height, first.width) == (height, width):
        return canvas, ""
    was = f"{first.height} x {first.width}" if alike else f"{sides[0]:,} to {sides[-1]:,} pixels"
    return canvas, f"{was}, brought to {height} x {width}"


def clips_of(x: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """Arrays of clips as ``(clips, frames, ...)`` with frames as images are: gray, or channels first or last.

    Raises:
        InputError: for a shape that holds no clips.
    """
    shape, kind = tuple(x.shape), str(x.dtype).removeprefix("torch.")
    if 0 in shape[2:] or not kind.startswith(("uint", "int", "float", "bfloat", "bool")):
        raise InputError(f"an array of shape {shape} and type {kind} holds no clips; give numbers")
    if len(shape) == 5 and shape[1] in (1, 3) and shape[2] not in (1, 3) and shape[4] not in (1, 3):
        return x.transpose(1, 2) if isinstance(x, Tensor) else x.swapaxes(1, 2)  # channels before frames
    if len(shape) == 4 or (len(shape) == 5 and (shape[4] in (1, 3) or shape[2] in (1, 3))):
        return x
    raise InputError(
        f"an array of shape {shape} holds no clips; give (N, frames, height, width) or "
        "(N, frames, height, width, 3)"
    )
