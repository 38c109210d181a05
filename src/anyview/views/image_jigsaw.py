"""Jigsaw views: an image, and nine patches of another crop of it in random order."""

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from anyview.data.batch import Batch
from anyview.errors import InputError
from anyview.views.image import ImageViews, default_size, simclr_pipeline
from anyview.views.image_pipeline import ImagePipeline

CELLS = 3  #: a side; nine patches


class JigsawViews(ImageViews):
    """A view of each image, and patches of a second crop (PIRL, Misra and van der Maaten 2020, arXiv:1912.01991,
    section 3.2): the crop is cut into 3 x 3 cells, a random place in each gives a patch, each patch has colours
    of its own, and their order is random.

    The second view's payload is ``(batch, 9, channels, patch, patch)``. Its ``meta`` has ``order`` (the cell that
    each patch is from, row by row), ``corner`` (top and left of each patch in its cell) and the ``box`` and
    ``flip`` of the crop.

    Args:
        view: pipeline of the first view.
        crop: pipeline of the second one's crop, whose size is a multiple of three.
        colours: pipeline of a patch.
        mean: mean of each channel, for pixels in [0, 1].
        std: deviation of each channel, alike.
    """

    def __init__(
        self,
        view: ImagePipeline,
        crop: ImagePipeline,
        colours: ImagePipeline,
        mean: list[float],
        std: list[float],
    ) -> None:
        super().__init__([(view, 1)], mean, std)
        self.crop, self.colours, self.count = crop, colours, 2
        self.cell, self.patch = crop.size // CELLS, colours.size
        if crop.size % CELLS or self.patch > self.cell:
            raise InputError(
                f"a crop of {crop.size} pixels cannot be cut into 3 x 3 cells with patches of {self.patch} pixels"
            )

    def __call__(self, batch: Batch) -> list[Batch]:
        whole = super().__call__(batch)
        x, n = batch.x, len(batch)
        params = self.crop.draw(n, x.shape[2], x.shape[3], x.device)
        corner = torch.randint(self.cell - self.patch + 1, (n, CELLS**2, 2)).to(x.device)
        order = torch.rand(n, CELLS**2).argsort(1).to(x.device)
        patches = cut(self.crop.apply(x, params), corner, self.patch)
        patches = patches.gather(1, order[:, :, None, None, None].expand_as(patches)).flatten(0, 1)
        colours = self.colours.draw(len(patches), self.patch, self.patch, x.device)
        patches = self.colours.apply(patches, colours, self.mean.to(x.device), self.std.to(x.device))
        meta = {"order": order, "corner": corner} | {k: params[k].to(x.device) for k in ("box", "flip")}
        return [*whole, batch.with_x(patches.unflatten(0, (n, -1)), **meta)]


def cut(
    images: Float[Tensor, "batch channels height width"], corner: Int64[Tensor, "batch cells 2"], patch: int
) -> Float[Tensor, "batch cells channels {patch} {patch}"]:
    """A patch of every cell of a 3 x 3 grid, row by row; ``corner`` is its top and left in the cell."""
    height, width = (n // CELLS for n in images.shape[2:])
    cell = torch.arange(CELLS**2, device=images.device)
    place = torch.stack([cell // CELLS * height, cell % CELLS * width], 1) + corner
    reach = torch.arange(patch, device=images.device)
    rows, columns = place[..., :1] + reach, place[..., 1:] + reach  # (batch, cells, patch)
    sample = torch.arange(len(images), device=images.device)[:, None, None, None]
    return images.movedim(1, -1)[sample, rows[..., None], columns[:, :, None]].movedim(-1, 2)


def side_by_side(
    patches: Float[Tensor, "batch cells channels patch patch"],
) -> Float[Tensor, "batch channels side side"]:
    """The patches as one image, in the order they come, row by row."""
    rows = patches.unflatten(1, (CELLS, CELLS)).permute(0, 3, 1, 4, 2, 5)
    return rows.flatten(4, 5).flatten(2, 3)


def jigsaw(
    spec: dict[str, Any],
    *,
    size: int | None = None,
    crop_scale: tuple[float, float] = (0.2, 1.0),
    puzzle_scale: tuple[float, float] = (0.6, 1.0),
    puzzle_size: int | None = None,
    patch: int | None = None,
    flip: float = 0.5,
    jitter: float = 0.8,
    strength: float = 0.5,
    grayscale: float = 0.2,
    blur: float | None = None,
) -> JigsawViews:
    """A view of each image, and nine patches of another crop of it in random order.

    Args:
        spec: what the images are like: shape, mean, std.
        size: height and width of the view in pixels; the shorter side of the images when None.
        crop_scale: smallest and largest share of the image's area in the view.
        puzzle_scale: smallest and largest share of the area in the crop that is cut (0.6 and more in the
            published configuration; the paper says 0.2).
        puzzle_size: height and width that this crop is resized to, a multiple of 3; when None, the largest one
            up to ``size``.
        patch: height and width of a patch, up to a third of that; three quarters of it (64 of 85) when None.
        flip: probability of mirroring left to right.
        jitter: probability of changing brightness, contrast, saturation and hue; of each patch for itself.
        strength: strength s of that change: 0.8 s for brightness, contrast and saturation, 0.2 s for hue.
        grayscale: probability of removing the colour; of each patch for itself.
        blur: probability of a Gaussian blur of the view; when None, 0.5 for views above 64 pixels and 0 for
            smaller ones.
    """
    size = default_size(spec) if size is None else size
    puzzle = size // CELLS * CELLS if puzzle_size is None else puzzle_size
    patch = max(1, round(puzzle / CELLS * 64 / 85)) if patch is None else patch
    view = simclr_pipeline(size, crop_scale, flip, jitter, strength, grayscale, blur, 0.0)
    crop = simclr_pipeline(puzzle, puzzle_scale, flip, 0.0, strength, 0.0, 0.0, 0.0)
    colours = simclr_pipeline(patch, (1.0, 1.0), 0.0, jitter, strength, grayscale, 0.0, 0.0)
    return JigsawViews(view, crop, colours, spec["mean"], spec["std"])
