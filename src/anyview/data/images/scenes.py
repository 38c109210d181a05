"""Drawn scenes whose structure is known: how many things, how far, where, turned which way.

In the manner of CLEVR and dSprites as VTAB uses them (Zhai et al. 2019, arXiv:1910.04867, section 2.2): the same
questions and numbers of classes, asked of simpler drawings that are made when they are asked for.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from anyview.data.parts import Arrays, Found

SIDE = 64  #: pixels, as dSprites
TRAIN, TEST = 2000, 2000
BLOCK = 500  #: scenes drawn at a time
COUNTS, DISTANCES, BINS = range(3, 11), 6, 16
ACROSS, DOWN = 4, 3  #: places of things to count
NEAREST, FARTHEST, HORIZON, FOCUS = 2.0, 8.0, 22.0, 40.0  #: depths in heights of the camera; pixels

Rng = torch.Generator
Shape = int | tuple[int, ...]
Field = Float[Tensor, "scenes side side"]


@dataclass(frozen=True)
class Scenes:
    """Drawn images, the quantity that was asked about, and its class, which rises with it."""

    x: UInt8[Tensor, "scenes channels side side"]
    value: Float[Tensor, "scenes"]
    label: Int[Tensor, "scenes"]


def count(n: int, rng: Rng) -> Scenes:
    """3 to 10 things of any shape, size, colour and turn, none upon another; the class is their number.

    There are 12 places, 4 across and 3 down, each with room for one thing.
    """
    value = torch.randint(COUNTS.start, COUNTS.stop, (n,), generator=rng)
    width, height = SIDE / ACROSS, SIDE / DOWN
    size = _between((n, DOWN, ACROSS), 3.0, 6.0, rng)
    x, y = (
        _between(size.shape, -1.0, 1.0, rng) * (side / 2 - size - 1).clamp(min=0) for side in (width, height)
    )
    x, y = x + width * (torch.arange(ACROSS) + 0.5), y + height * (torch.arange(DOWN)[:, None] + 0.5)
    filled = torch.rand(n, DOWN * ACROSS, generator=rng).argsort(1).argsort(1) < value[:, None]
    turn, kind = _between(size.shape, 0.0, 2 * math.pi, rng), _kinds(size.shape, rng)
    # of what lies in which place, every pixel need look at its own place only
    row, column = ((torch.arange(SIDE) / side).long() for side in (height, width))
    at = [part[:, row[:, None], column] for part in (x, y, size, turn, kind, filled.view(size.shape))]
    colour = _colour(size.shape, rng)[:, row[:, None], column].permute(0, 3, 1, 2)
    image, cover = _background(n, rng), _shape(*at[:5]) * at[5]
    return Scenes(_bytes(image + cover[:, None] * (colour - image)), value.float(), value - COUNTS.start)


def distance(n: int, rng: Rng) -> Scenes:
    """1 to 4 balls of two sizes on a plane that runs to the horizon; the class is how far the nearest one is."""
    value = _between(n, NEAREST, FARTHEST, rng)
    image = _plane(n, rng)
    more = torch.randint(4, (n,), generator=rng)
    others = value[:, None] + 0.4 + torch.rand(n, 3, generator=rng) * (FARTHEST + 1 - value[:, None])
    others = others.masked_fill(torch.arange(3) >= more[:, None], torch.inf)
    for depth in (*others.sort(1, descending=True).values.unbind(1), value):  # what is near hides what is far
        radius = torch.where(torch.rand(n, generator=rng) < 0.5, 0.35, 0.7)
        size = FOCUS * radius / depth
        x = SIDE / 2 + _between(n, -0.4, 0.4, rng) * SIDE
        y = HORIZON + FOCUS * (1 - radius) / depth
        size = size[:, None, None]
        ball = _coverage(_length(*_local(_map(x), _map(y), size.clamp(min=1e-3))) - 1, size)
        image = _over(image, ball * depth.isfinite()[:, None, None], _colour(n, rng))
    return Scenes(_bytes(image), value, _bin(value, NEAREST, FARTHEST, DISTANCES))


def orientation(n: int, rng: Rng) -> Scenes:
    """One thing that points somewhere; the class is where to, in 16 steps of the circle."""
    image, turn, _ = _single(n, rng)
    return Scenes(_bytes(image), turn, _bin(turn, 0.0, 2 * math.pi, BINS))


def location(n: int, rng: Rng) -> Scenes:
    """One thing anywhere; the class is its place from left to right, in 16 steps."""
    image, _, x = _single(n, rng)
    return Scenes(_bytes(image), x, _bin(x, *_EDGE, BINS))


TASKS: dict[str, Callable[[int, Rng], Scenes]] = {
    "count": count,
    "distance": distance,
    "orientation": orientation,
    "location": location,
}


def scenes(task: str, train: int = TRAIN, test: int = TEST, seed: int = 0) -> Found:
    """Scenes of one task as train and test; the same seed draws the same ones."""
    splits = {}
    for place, (name, size) in enumerate((("train", train), ("test", test))):
        rng = torch.Generator().manual_seed(2 * seed + place)
        parts = [TASKS[task](min(BLOCK, size - start), rng) for start in range(0, size, BLOCK)]
        x, label = torch.cat([p.x for p in parts]), torch.cat([p.label for p in parts])
        splits[name] = Arrays(x, label)
    return Found(f"scenes-{task}", dict(splits))


# ---- drawing

_EDGE = (12.0, SIDE - 12.0)  #: between which a single thing has its middle


def _single(n: int, rng: Rng) -> tuple[Tensor, Tensor, Tensor]:
    """One thing on a plain ground: image, turn, place from left to right."""
    turn, x, y = _between(n, 0.0, 2 * math.pi, rng), _between(n, *_EDGE, rng), _between(n, *_EDGE, rng)
    shown = _shape(*map(_map, (x, y, _between(n, 7.0, 11.0, rng), turn, _kinds(n, rng, POINTING))))
    return _over(_background(n, rng), shown, _colour(n, rng)), turn, x


def _shape(x: Tensor, y: Tensor, size: Tensor, turn: Tensor, kind: Tensor) -> Field:
    """How much of each pixel a thing covers, which is the shape of its kind, turned; what is the same in all pixels
    is ``(scenes, 1, 1)``."""
    u, v = _local(x, y, size)
    u, v = u * turn.cos() + v * turn.sin(), v * turn.cos() - u * turn.sin()
    field, kind = torch.empty_like(u), kind.expand_as(u)
    for number, shape in enumerate(_SHAPES):
        mine = kind == number
        field[mine] = shape(u[mine], v[mine])
    return _coverage(field, size)


def _drop(u: Tensor, v: Tensor) -> Tensor:
    return torch.minimum(_length(u + 0.35, v) - 0.5, _triangle(u, v, base=-0.2, half=0.46))


def _triangle(u: Tensor, v: Tensor, base: float, half: float) -> Tensor:
    """Distance to a triangle with its tip at (1, 0) and its base from (base, -half) to (base, half)."""
    slope = math.hypot(half, 1 - base)
    return torch.maximum((half * (u - 1) + (1 - base) * v.abs()) / slope, base - u)


#: distance to the edge of: disc, square, arrowhead, drop, half disc; the last three point along their turn alone
_SHAPES: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
    lambda u, v: _length(u, v) - 0.9,
    lambda u, v: torch.maximum(u.abs(), v.abs()) - 0.75,
    lambda u, v: _triangle(u, v, base=-0.7, half=0.6),
    _drop,
    lambda u, v: torch.maximum(_length(u, v) - 0.9, -u - 0.1),
)
POINTING = 2  #: the first shape that points somewhere


def _local(x: Tensor, y: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Places of pixels relative to a thing, in its sizes."""
    place = torch.arange(SIDE) + 0.5
    return (place - x) / size, (place[:, None] - y) / size


def _map(value: Tensor) -> Tensor:
    return value[:, None, None]


def _length(u: Tensor, v: Tensor) -> Tensor:
    return (u.square() + v.square()).sqrt()


def _coverage(field: Tensor, size: Tensor) -> Tensor:
    """Share of a pixel that lies within, from the distance to the edge in sizes."""
    return (0.5 - field * size).clamp(0, 1)


def _over(image: Tensor, cover: Field, colour: Tensor) -> Tensor:
    return image + cover[:, None] * (colour[:, :, None, None] - image)


def _background(n: int, rng: Rng) -> Tensor:
    """Dark grounds that brighten to one side, with a little noise."""
    ramp = torch.linspace(0, 0.15, SIDE) * _between(n, -1.0, 1.0, rng)[:, None]
    ground = 0.25 * torch.rand(n, 3, 1, 1, generator=rng) + ramp[:, None, None, :]
    return (ground + 0.03 * torch.randn(n, 1, SIDE, SIDE, generator=rng)).expand(n, 3, SIDE, SIDE)


def _plane(n: int, rng: Rng) -> Tensor:
    """A plane below the horizon and what is above it."""
    above, below = (0.4 * torch.rand(n, 3, 1, 1, generator=rng) for _ in range(2))
    image = torch.where((torch.arange(SIDE) < HORIZON)[:, None], above, below + 0.05)
    return image + 0.03 * torch.randn(n, 1, SIDE, SIDE, generator=rng)


def _colour(shape: Shape, rng: Rng) -> Tensor:
    """Brighter than any ground."""
    colour = torch.rand(*_axes(shape), 3, generator=rng)
    return 0.55 + 0.45 * (colour - colour.amax(-1, keepdim=True) + 1)


def _kinds(shape: Shape, rng: Rng, first: int = 0) -> Tensor:
    return torch.randint(first, len(_SHAPES), _axes(shape), generator=rng)


def _between(shape: Shape, low: float, high: float, rng: Rng) -> Tensor:
    return low + (high - low) * torch.rand(_axes(shape), generator=rng)


def _axes(shape: Shape) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _bin(value: Tensor, low: float, high: float, bins: int) -> Tensor:
    """The step, of equal ones, that a value lies in: 0 to ``bins - 1``."""
    return ((value - low) / (high - low) * bins).floor().long().clamp(0, bins - 1)


def _bytes(image: Tensor) -> Tensor:
    return (255 * image.clamp(0, 1)).round().to(torch.uint8)
