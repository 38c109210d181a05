"""Volumes: folders of NIfTI files, archives and arrays of voxels."""

import torch
from torch import Tensor

from anyview.data.decode import Undecoded, decoded, statistics
from anyview.data.parts import Archive, Arrays, Files, Found, Objects
from anyview.data.readers.base import Reader, none_readable
from anyview.data.source import Dataset, MemorySource, Skipped, Source, Spec, UnreadableError
from anyview.data.volume.collect import collect, first_of, named_array
from anyview.data.volume.nifti import is_nifti, nifti_shape
from anyview.data.volume.voxels import (
    CUBE,
    Canvas,
    as_bytes,
    by,
    choose_canvas,
    cubes,
    looks_like_volume,
    voxels,
)
from anyview.errors import InputError

PROBED = 2000  #: volumes whose shape is read to choose the canvas


class VolumeReader(Reader):
    modality = "volume"
    wants = "NIfTI files (.nii, .nii.gz), or an array (N, depth, height, width)"

    def claim(self, found: Found) -> float:
        part = found.first
        if isinstance(part, Files):
            return sum(is_nifti(path) for path in part.paths) / len(part)
        if isinstance(part, Archive):
            return 0.9 if named_array(part) else 0.0
        if isinstance(part, Arrays):
            shape = tuple(part.x.shape)
            # an axis of 1 or 3 is one of colours, at either place where images and clips keep it
            gray = len(shape) == 4 and not {shape[1], shape[3]} & {1, 3}
            single = len(shape) == 5 and shape[1] == 1 and shape[4] != 3
            return 0.8 if len(part) and (gray or single) else 0.0
        if isinstance(part, Objects) and len(part):
            try:
                return 0.8 if looks_like_volume(first_of(part.items[0])) else 0.0
            except Exception:  # another library's code
                return 0.0
        return 0.0

    def read(
        self, found: Found, *, label: str | None = None, size: int | None = None, like: Spec | None = None
    ) -> Dataset:
        """Volumes as uint8 on one canvas, see ``choose_canvas``; a single one is cut into cubes.

        ``size`` is the longest side of the canvas, or the side of a cube, in voxels.
        """
        if size is not None and size < 2:
            raise InputError(f"size is {size}; give the longest side in voxels, such as 32")
        splits, names, skipped = collect(found, label)
        alone = sum(len(split) for split in splits.values()) == 1
        if alone if like is None else like["cut"]:
            return _cut(found, splits, size, like, skipped)
        shapes = [s for split in splits.values() for s in _shapes(split)]
        if not shapes:
            raise none_readable(found, "volume", self.wants, skipped or _reasons(splits))
        if like is not None and size is None:
            canvas, note = Canvas(*like["shape"][1:]), ""
        else:
            canvas, note = choose_canvas(shapes, size)
        one_thread = isinstance(found.first, Objects)  # whether another library bears threads is not known
        sources = decoded(
            "volume", splits, canvas, (1, *canvas.shape), skipped, names, 1 if one_thread else None
        )
        if not sources:
            raise none_readable(found, "volume", self.wants, skipped)
        notes = [note] if note else []
        if not next(iter(sources.values())).in_memory:
            notes.append("decoded while they are used")
        return _dataset(found, sources, skipped, notes, like, cut=False)


def _shapes(split: Undecoded) -> list[tuple[int, int, int]]:
    """Shapes of the volumes of a split, of ``PROBED`` at most; those that are none are left out."""
    count = min(PROBED, len(split))
    shapes = []
    for place in {i * len(split) // count for i in range(count)} if count else ():
        try:
            item = split.items[place]
            found = nifti_shape(item) if isinstance(item, str) else tuple(item.shape)
        except (UnreadableError, AttributeError):
            continue
        found = tuple(n for n in found or () if n > 1)
        if len(found) == 3:
            shapes.append((found[0], found[1], found[2]))
    return shapes


def _reasons(splits: dict[str, Undecoded]) -> list[Skipped]:
    """Why the first volume of the first split cannot be read."""
    for split in filter(len, splits.values()):
        try:
            voxels(split.items[0])
        except UnreadableError as error:
            return [Skipped(split.where(0), str(error))]
    return []


def _cut(
    found: Found, splits: dict[str, Undecoded], size: int | None, like: Spec | None, skipped: list[Skipped]
) -> Dataset:
    """Cubes of every volume, in order; no labels, as a cube has none."""
    side = size or (like["shape"][1] if like else CUBE)
    sources: dict[str, Source] = {}
    shapes = []
    for name, split in splits.items():
        parts: list[Tensor] = []
        for place in range(len(split)):
            try:
                x = as_bytes(voxels(split.items[place]))
            except UnreadableError as error:
                skipped.append(Skipped(split.where(place), str(error)))
                continue
            shapes.append(tuple(x.shape))
            parts.append(cubes(x, side))
        if parts and len(torch.cat(parts)):
            sources[name] = MemorySource("volume", {}, torch.cat(parts), skipped=skipped)
    if not sources:
        raise none_readable(found, "volume", VolumeReader.wants, skipped)
    which = f"one volume of {by(shapes[0])}" if len(shapes) == 1 else f"{len(shapes):,} volumes"
    return _dataset(found, sources, skipped, [f"{which} cut into cubes"], like, cut=True)


def _dataset(
    found: Found,
    sources: dict[str, Source],
    skipped: list[Skipped],
    notes: list[str],
    like: Spec | None,
    cut: bool,
) -> Dataset:
    train = sources.get("train", next(iter(sources.values())))
    shape = list(train.fetch(torch.tensor([0])).x.shape[1:])
    scale = statistics(train) if like is None else {key: like[key] for key in ("mean", "std")}
    spec = {"shape": shape, **scale, "cut": cut}
    for source in sources.values():
        source.spec = spec
    return Dataset(found.name, "volume", sources, skipped, notes)
