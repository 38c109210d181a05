"""Videos: files, folders of frames, arrays, and tables with a frame a row."""

from typing import Any

import torch
from torch import Tensor

from anyview.data.decode import Undecoded, decoded, statistics
from anyview.data.images.pixels import Header
from anyview.data.parts import Arrays, Files, Found, Objects
from anyview.data.readers.base import Reader, none_readable
from anyview.data.source import Dataset, MemorySource, Skipped, Source, Spec, UnreadableError
from anyview.data.video.collect import collect
from anyview.data.video.frames import FRAMES, ClipCanvas, choose_canvas, header, is_video
from anyview.errors import InputError

PROBED = 200  #: clips whose size is read to choose the canvas


class VideoReader(Reader):
    modality = "video"
    wants = "videos (.mp4, .avi, .webm, ...), or an array (N, frames, height, width, 3)"

    def claim(self, found: Found) -> float:
        """Folders of frames and tables of them are images too, so they are clips only when that is said."""
        part = found.first
        if isinstance(part, Files):
            return sum(is_video(path) for path in part.paths) / len(part)
        if isinstance(part, Arrays):
            shape = tuple(part.x.shape)
            colour = len(shape) == 5 and (shape[4] == 3 or 3 in shape[1:3])
            return 0.9 if colour and len(part) else 0.0
        return 0.0

    def read(
        self, found: Found, *, label: str | None = None, size: int | None = None, like: Spec | None = None
    ) -> Dataset:
        """Clips as uint8 of ``FRAMES`` frames (arrays with fewer keep theirs) on one canvas.

        ``size`` is the side of a frame in pixels.
        """
        if size is not None and size < 1:
            raise InputError(f"size is {size}; give the side of a frame in pixels, such as 64")
        splits, names, skipped = collect(found, label)
        headers, broken = _headers(splits, PROBED)
        if not headers:
            headers, broken = _headers(splits)
        if not headers:
            raise none_readable(found, "video", self.wants, broken or skipped)
        canvas, note = choose_canvas(headers, size)
        frames = _frames(splits) if isinstance(found.first, Arrays) else FRAMES
        if like is not None:
            channels, frames, height, width = like["shape"]
            height, width = (height, width) if size is None else (size, size)
            canvas = ClipCanvas(channels, frames, height, width)
        elif frames < FRAMES:
            canvas = ClipCanvas(canvas.channels, frames, canvas.height, canvas.width)
        plain = None if like is not None or note else _as_they_are(splits, canvas)
        sources: dict[str, Source]
        if plain is not None:
            sources = {
                name: MemorySource("video", {}, x, splits[name].label, names, skipped)
                for name, x in plain.items()
            }
        else:
            threads = 1 if isinstance(found.first, Objects) else None
            sources = decoded("video", splits, canvas, canvas.shape, skipped, names, threads)
        if not sources:
            raise none_readable(found, "video", self.wants, skipped)
        train = sources.get("train", next(iter(sources.values())))
        scale = statistics(train) if like is None else {key: like[key] for key in ("mean", "std")}
        spec = {"shape": list(train.fetch(torch.tensor([0])).x.shape[1:]), **scale}
        for source in sources.values():
            source.spec = spec
        notes = [note] if note else []
        if not train.in_memory:
            notes.append("decoded while they are used")
        return Dataset(found.name, "video", sources, skipped, notes)


def _headers(splits: dict[str, Undecoded], most: int | None = None) -> tuple[list[Header], list[Skipped]]:
    """Headers of ``most`` clips of every split, evenly spread, and of those that have none the reason."""
    headers, broken = [], []
    for split in splits.values():
        count = min(most or len(split), len(split))
        for place in sorted({i * len(split) // count for i in range(count)}):
            try:
                headers.append(header(split.items[place]))
            except UnreadableError as error:
                broken.append(Skipped(split.where(place), str(error)))
    return headers, broken


def _frames(splits: dict[str, Undecoded]) -> int:
    """Frames to hold of arrays: their own, ``FRAMES`` at most."""
    counts = [len(split.items[0]) for split in splits.values() if len(split)]
    return min([FRAMES, *counts])


def _as_they_are(splits: dict[str, Undecoded], canvas: ClipCanvas) -> dict[str, Tensor] | None:
    """Arrays whose clips are on the canvas already, without a pass through images."""
    out = {}
    for name, split in splits.items():
        x: Any = split.items
        if not hasattr(x, "shape") or x.shape[1] != canvas.frames:
            return None
        x = torch.as_tensor(x)
        if x.ndim == 4:
            x = x[:, None]
        else:
            x = x.movedim(4, 1) if x.shape[4] in (1, 3) else x.transpose(1, 2)
        if tuple(x.shape[1:]) != canvas.shape:
            return None
        out[name] = x.contiguous()
    return out
