"""Images: folders of files, tables with encoded images, arrays, and datasets of other libraries."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from anyview.data.images.arrays import as_uint8, in_channels, looks_like_images
from anyview.data.images.items import (
    Collected,
    Split,
    from_files,
    from_objects,
    from_tables,
    gives_images,
    image_column,
    is_image_file,
    late_labels,
)
from anyview.data.images.pixels import Canvas, Header, decode_all, read_classes, read_headers
from anyview.data.labels import encode
from anyview.data.parts import Arrays, Files, Found, Objects, Table, is_far, threads
from anyview.data.readers.base import Reader, none_readable
from anyview.data.source import (
    NO_CLASS,
    Dataset,
    Items,
    MemorySource,
    Skipped,
    Source,
    Spec,
    StreamSource,
    UnreadableError,
)
from anyview.data.streamed import bring, listed
from anyview.errors import InputError

#: datasets up to this many decoded bytes are decoded once and held
MAX_HELD_BYTES = 2**30
#: images that all have one size of at most this many pixels a side keep it
MAX_KEPT_SIDE = 96
#: otherwise the canvas is the median side and this at most: the field's 224 with room to crop from
MAX_CANVAS = 256
PROBED = 2000  #: headers read to choose the canvas, and images that mean and std are of
PROBED_STREAMING = 500  #: the same when each of them must be decoded for it


class ImageReader(Reader):
    modality = "image"
    wants = "images"

    def claim(self, found: Found) -> float:
        part = found.first
        if isinstance(part, Files):
            return sum(is_image_file(part.root / path) for path in part.paths) / len(part)
        if isinstance(part, Table):
            return 0.9 if image_column(part) else 0.0
        if isinstance(part, Arrays):
            return looks_like_images(part.x)
        return 0.9 if isinstance(part, Objects) and gives_images(part) else 0.0

    def read(
        self, found: Found, *, label: str | None = None, size: int | None = None, like: Spec | None = None
    ) -> Dataset:
        """Images as uint8 on one canvas, see ``choose_canvas``; held when they fit in ``MAX_HELD_BYTES``."""
        if size is not None and size < 1:
            raise InputError(f"size is {size}; give the side of the canvas in pixels, such as 64")
        if label is not None and not isinstance(found.first, Table):
            raise InputError(f'{found.name} has no columns, so no "{label}"; leave the label out')
        if isinstance(found.first, Arrays):
            return _read_arrays(found, size, like)
        if isinstance(found.first, Files):
            collected = from_files(found)
        elif isinstance(found.first, Table):
            collected = from_tables(found, label)
        else:
            collected = from_objects(found)
        return _read_items(found, collected, size, like)


def choose_canvas(
    headers: Sequence[Header], size: int | None, like: Spec | None = None
) -> tuple[Canvas, str]:
    """The canvas for images with these headers, and a note on their sizes.

    ``size`` x ``size`` when given, else the shape and the ``share`` that ``like`` says. Images that all have one
    size of at most ``MAX_KEPT_SIDE`` keep it. Otherwise the side is the median of the shorter sides, as a multiple
    of 8, and at most ``MAX_CANVAS``. Only when all are gray is there one channel.
    """
    channels = 1 if all(header.gray for header in headers) else 3
    sides = sorted(min(h.height, h.width) for h in headers)
    middle, first = sides[len(sides) // 2], headers[0]
    alike = all((h.height, h.width) == (first.height, first.width) for h in headers)
    if size is not None:
        canvas = Canvas(like["shape"][0] if like else channels, size, size)
    elif like is not None:
        channels, height, width = like["shape"]
        canvas = Canvas(channels, height, width, like.get("share", 1.0))
    elif alike and max(first.height, first.width) <= MAX_KEPT_SIDE:
        canvas = Canvas(channels, first.height, first.width)
    else:
        side = min(MAX_CANVAS, max(8 * ((middle + 4) // 8), min(middle, 8)))
        canvas = Canvas(channels, side, side)
    if alike and (first.height, first.width) == (canvas.height, canvas.width) and not canvas.border:
        return canvas, ""
    was = (
        f"{first.height} x {first.width}"
        if alike
        else f"{sides[0]:,} to {sides[-1]:,} pixels (median {middle:,})"
    )
    return canvas, f"{was}, brought to {canvas.height} x {canvas.width}"


def _read_arrays(found: Found, size: int | None, like: Spec | None) -> Dataset:
    parts = {name: part for name, part in found.splits.items() if isinstance(part, Arrays)}
    images = as_uint8({name: part.x for name, part in parts.items()})
    named = next((part.label_names for part in parts.values() if part.label_names), None)
    label, names = encode({name: part.y for name, part in parts.items()}, named)
    shapes = {tuple(x.shape[1:]) for x in images.values()}
    if len(shapes) > 1 and ((size is None and like is None) or len({shape[0] for shape in shapes}) > 1):
        raise InputError(f"the splits hold images of different shapes: {', '.join(map(str, sorted(shapes)))}")
    headers = [Header(h, w, c == 1) for c, h, w in shapes]
    # An array is held anyway; its images keep their size unless another is asked for.
    note = ""
    if size is not None or like is not None:
        canvas, note = choose_canvas(headers, size, like)
        images = {name: in_channels(x, canvas.channels) for name, x in images.items()}
        images = {name: _resize(x, canvas) for name, x in images.items()} if note else images
    spec: Spec = {}
    sources: dict[str, Source] = {
        name: MemorySource("image", spec, x, label[name], names) for name, x in images.items()
    }
    spec.update(_spec(sources, like))
    return Dataset(found.name, "image", sources, notes=[note] if note else [])


def _resize(x: Tensor, canvas: Canvas) -> Tensor:
    """(samples, channels, height, width) uint8 on the canvas, as ``Canvas`` does it for files."""
    height, width = x.shape[-2:]
    scale = max(canvas.height / height, canvas.width / width) / canvas.share
    h, w = max(canvas.height, round(height * scale)), max(canvas.width, round(width * scale))
    top, left = (h - canvas.height) // 2, (w - canvas.width) // 2
    parts = []
    for part in x.split(256):
        big = F.interpolate(part.float(), (h, w), mode="bicubic", antialias=True, align_corners=False)
        big = big[..., top : top + canvas.height, left : left + canvas.width]
        parts.append(big.round().clamp(0, 255).byte())
    return torch.cat(parts)


def _read_items(found: Found, collected: Collected, size: int | None, like: Spec | None) -> Dataset:
    splits, skipped = collected.splits, collected.skipped
    # Whether the code of another library bears threads is not known.
    many = 1 if isinstance(found.first, Objects) else threads(found.first)
    far = is_far(found.first)
    headers = _headers(splits, many, PROBED_STREAMING if far else PROBED)[0]
    if not any(headers.values()):
        headers, broken = _headers(splits, many)
        if not any(headers.values()):
            raise none_readable(found, "image", ImageReader.wants, [*skipped, *broken])
    seen = [header for split in headers.values() for header in split.values()]
    canvas, note = choose_canvas(seen, size, like)
    count = sum(len(split.items) for split in splits.values())
    notes = [note] if note else []
    if count * math.prod((canvas.channels, canvas.height, canvas.width)) <= MAX_HELD_BYTES:
        sources = _held(collected, canvas, many)
    else:
        sources = _streamed(collected, canvas, many)
        notes.append(f"{'fetched and ' if far else ''}decoded while they are used")
        if any(split.masks is not None for split in splits.values()):
            notes.append("masks left out: too many to hold; give a smaller --size")
    sources = {name: source for name, source in sources.items() if len(source)}
    if not sources:
        raise none_readable(found, "image", ImageReader.wants, skipped)
    spec = _spec(sources, like)
    for source in sources.values():
        source.spec = spec
    return Dataset(found.name, "image", sources, skipped, notes)


def _held(collected: Collected, canvas: Canvas, threads: int) -> dict[str, Source]:
    """Every image decoded, broken ones left out."""
    decoded = {}
    for name, split in collected.splits.items():
        bring(split.items)
        x, kept, broken = decode_all(split.items, canvas, split.where, threads)
        collected.skipped += broken
        decoded[name] = (x, kept)
    label, names = {name: split.label for name, split in collected.splits.items()}, collected.label_names
    if all(value is None for value in label.values()):
        label, names = late_labels(collected.splits)
    sources: dict[str, Source] = {}
    for name, (x, kept) in decoded.items():
        given = label[name]
        of_kept = None if given is None else given[kept]
        sources[name] = MemorySource("image", {}, x, of_kept, names, collected.skipped)
        if (masks := collected.splits[name].masks) is not None:
            sources[name].segmentation = _segmentation(collected, name, masks, kept.tolist(), canvas)
            sources[name].segment_names = collected.segment_names
    return sources


def _segmentation(
    collected: Collected, name: str, masks: Items, kept: list[int], canvas: Canvas
) -> UInt8[Tensor, "kept rows columns"]:
    """The classes of all pixels of a split. Of an image whose map cannot be read no pixel has one."""
    split, out = collected.splits[name], torch.full((len(kept), canvas.height, canvas.width), NO_CLASS)
    out = out.byte()
    for place, row in enumerate(kept):
        try:
            out[place] = read_classes(masks[row], split.items[row], canvas)
        except UnreadableError as error:
            collected.skipped.append(Skipped(f"mask of {split.where(row)}", str(error)))
    for number in collected.unsegmented:
        out[out == number] = NO_CLASS
    return out


def _streamed(collected: Collected, canvas: Canvas, threads: int) -> dict[str, Source]:
    """Every header read, images without one left out; what else is broken shows when it is used. At an address no
    header is read."""
    sources: dict[str, Source] = {}
    for name, split in collected.splits.items():
        if (far := listed(split.items)) is not None:
            kept, broken = far[0], [Skipped(split.where(i), "is empty") for i in far[1]]
        else:
            headers, broken = _headers({name: split}, threads)
            kept = sorted(headers[name])
        collected.skipped += broken
        source = StreamSource(
            "image",
            {},
            split.items,
            canvas,
            split.where,
            split.label,
            collected.label_names,
            collected.skipped,
        )
        sources[name] = source.take(torch.tensor(kept, dtype=torch.int64))
    return sources


def _headers(
    splits: dict[str, Split], threads: int, probe: int | None = None
) -> tuple[dict[str, dict[int, Header]], list[Skipped]]:
    """Headers by split and place, of all images or of ``probe`` spread over each split; what has none."""
    found, broken = {}, []
    for name, split in splits.items():
        places = _spread(len(split.items), probe or len(split.items))
        found[name], failed = read_headers(split.items, places, threads)
        broken += [Skipped(split.where(place), reason) for place, reason in failed.items()]
    return found, broken


def _spec(sources: dict[str, Source], like: Spec | None) -> Spec:
    """Shape, and mean and standard deviation of each channel in train (or as ``like`` has them), on the scale
    0..1."""
    source = sources.get("train", next(iter(sources.values())))
    if like is not None:
        shape = list(source.fetch(torch.tensor([0])).x.shape[1:])
        share = {"share": like["share"]} if "share" in like else {}
        return {"shape": shape, "mean": like["mean"], "std": like["std"], **share}
    index = torch.tensor(_spread(len(source), PROBED if source.in_memory else PROBED_STREAMING))
    total, squares, shape = torch.zeros(1), torch.zeros(1), [0, 0, 0]
    for part in index.split(64):
        x = source.fetch(part).x.double() / 255
        total, squares = total + x.mean((-2, -1)).sum(0), squares + x.square().mean((-2, -1)).sum(0)
        shape = list(x.shape[1:])
    mean = total / len(index)
    std = (
        (squares / len(index) - mean.square()).clamp_min(0).sqrt().clamp_min(1 / 255)
    )  # one gray would give 0
    return {
        "shape": shape,
        "mean": [round(v, 6) for v in mean.tolist()],
        "std": [round(v, 6) for v in std.tolist()],
    }


def _spread(count: int, wanted: int) -> list[int]:
    """At most ``wanted`` of 0..count-1, evenly spread."""
    return sorted({i * count // wanted for i in range(wanted)}) if count > wanted else list(range(count))
