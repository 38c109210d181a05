"""Clips made from real images: garments of Fashion-MNIST that move in one of eight ways."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from anyview.data import open as open_data
from anyview.data.source import Dataset, Source
from evidence.common import Check, Evidence, Figures, Headline, judged, over_seeds, pretrained

CLAIM = (
    "On clips made from real images (moving garments of Fashion-MNIST, no real videos), SimCLR tells eight motions "
    "and ten garments better than the untrained encoder, and motions better than raw features and raw pixels."
)
BUDGET = 10
HEADLINES = [
    Headline("motion, linear", "simclr", "untrained encoder", "mean frame and difference"),
    Headline("garment, knn", "simclr", "untrained encoder", "mean frame and difference"),
]
NOTE = (
    "A linear probe on all 2,048 pixels tells the motions of these clips best: they are small, centred and "
    "without background, so that a pixel nearly says where the garment is."
)
FRAMES, SIDE = 8, 16
#: left and right, and near and far, are motions here
VIEWS = {"flip": 0.0, "crop_scale": (0.6, 1.0)}
MOTIONS = ["left", "right", "up", "down", "turn left", "turn right", "grow", "shrink"]


def moving(images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Clips ``(images, FRAMES, SIDE, SIDE)`` uint8 of grays ``(images, 1, height, width)``, and the number of each
    one's motion. Place, speed, size and angle are each clip's own, so that no single frame tells the motion."""
    n = len(images)
    g = torch.Generator().manual_seed(seed)

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, generator=g)

    motion = torch.randint(len(MOTIONS), (n,), generator=g)
    time = torch.linspace(-1, 1, FRAMES)[None] * draw(0.6, 1.0)
    step = F.one_hot(motion, len(MOTIONS)).float()

    def moves(forth: int, back: int) -> Tensor:
        """-1, 0 or 1 of each clip, times the time."""
        return (step[:, [back]] - step[:, [forth]]) * time

    across, down = 0.5 * moves(0, 1) + draw(-0.2, 0.2), 0.5 * moves(2, 3) + draw(-0.2, 0.2)
    angle = 0.7 * moves(4, 5) + draw(-0.3, 0.3)
    size = 0.75 * torch.exp(0.35 * moves(7, 6) + draw(-0.15, 0.15))
    cos, sin = angle.cos() / size, angle.sin() / size
    theta = torch.stack(
        [cos, sin, -(cos * across + sin * down), -sin, cos, sin * across - cos * down], -1
    ).view(-1, 2, 3)
    repeated = (images.float() / 255).repeat_interleave(FRAMES, 0)
    grid = F.affine_grid(theta, [n * FRAMES, 1, 2 * SIDE, 2 * SIDE], align_corners=False)
    frames = F.avg_pool2d(F.grid_sample(repeated, grid, align_corners=False), 2)
    return (frames * 255).round().byte().view(n, FRAMES, SIDE, SIDE), motion


def data(train: int = 1500, test: int = 1000) -> tuple[Dataset, Dataset]:
    """The same clips twice: labelled by how they move, and by what moves."""
    images = open_data("fashion_mnist")
    parts = {}
    for seed, (name, count) in enumerate({"train": train, "test": test}.items()):
        batch = images.split(name).fetch(torch.arange(count))
        parts[name] = (*moving(batch.x, seed), batch.label)
    motion, kind = (
        open_data({name: (part[0], part[i]) for name, part in parts.items()}, modality="video")
        for i in (1, 2)
    )
    return motion.with_validation(0.1), kind.with_validation(0.1)


def both(embed: Callable[[Any], Tensor], found: tuple[Dataset, Dataset]) -> dict[str, float]:
    """Figures by motion and by garment."""
    motion, garment = (judged(embed, data) for data in found)
    return {f"motion, {k}": motion[k] for k in ("linear", "knn")} | {
        f"garment, {k}": garment[k] for k in ("linear", "knn")
    }


def pixels(source: Source) -> Tensor:
    """Every pixel of every frame."""
    return source.fetch(torch.arange(len(source))).x.flatten(1).float() / 255


def one(budget: int, seed: int) -> Figures:
    found = data()
    train = found[0].train
    _, simclr = pretrained("simclr", found[0], seed, budget, batch_size=128, encoder__stem=2, **VIEWS)
    _, mae = pretrained("mae", found[0], seed, budget, batch_size=64, flip=0.0)
    return {
        "untrained encoder": both(simclr.untrained(train, seed).embed_source, found),
        simclr.modality.raw_name: both(simclr.raw(train), found),
        "all pixels": both(pixels, found),
        "untrained transformer": both(mae.untrained(train, seed).embed_source, found),
        "simclr": both(simclr.embed_source, found),
        "mae (transformer)": both(mae.embed_source, found),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, raw, plain, other, simclr, mae = rows.values()
    motion, garment = "motion, linear", "garment, linear"
    return Evidence(
        list(rows.values()),
        [
            Check("simclr, motions above untrained", simclr[motion] - untrained[motion], 3),
            Check("simclr, garments above untrained", simclr[garment] - untrained[garment], 3),
            Check("simclr, motions above raw features", simclr[motion] - raw[motion], 5),
            Check("simclr, motions above all pixels", simclr[motion] - plain[motion], 3),
            Check("mae, motions above its untrained transformer", mae[motion] - other[motion], 3),
        ],
    )
