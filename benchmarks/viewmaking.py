"""Making two views of images on one core: anyview's batched views, lightly's transform image by image, and kornia's and
torchvision's on whole batches.

torchvision draws once for all images of a batch, so that its views differ from one batch to the next but not from one
image to the next: less is done than the others do.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import kornia.augmentation as kornia
import numpy as np
import torch
from lightly.transforms import SimCLRTransform
from lightly.transforms.utils import IMAGENET_NORMALIZE
from PIL import Image
from threadpoolctl import threadpool_limits
from torch import Tensor
from torchvision.transforms import v2

from anyview.data.batch import Batch
from anyview.training.memory import keep_freed_memory
from anyview.views import image_ops
from anyview.views.image import two_views

#: side of a view -> side of the images, images a batch, probability of blur
CASES = {32: (32, 256, 0.0), 224: (256, 64, 0.5)}
#: what a view goes through, as functions of ``image_ops`` under one name
STAGES = {
    "resizing": ("crop_resize",),
    "colour": ("brightness", "contrast", "saturation", "hue", "grayscale"),
    "blur": ("gaussian_blur",),
    "normalising": ("normalise",),
}


def speed(images: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Images a second (two views each), all libraries in turn for ``seconds`` in each of ``rounds``."""
    torch.set_num_threads(1)
    keep_freed_memory()  # as in training; all sides have it
    with threadpool_limits(1):
        return {str(side): _case(images, side, rounds, seconds) for side in CASES}


def _case(images: Path, side: int, rounds: int, seconds: float) -> dict[str, Any]:
    """The same images and the same distribution of views, lightly's defaults; no side decodes."""
    canvas, count, blur = CASES[side]
    pixels = np.load(images, mmap_mode="r")[:count].transpose(0, 2, 3, 1)
    pictures = [Image.fromarray(np.ascontiguousarray(p)).resize((canvas, canvas)) for p in pixels]
    batch = Batch(
        torch.from_numpy(np.stack([np.asarray(p) for p in pictures])).permute(0, 3, 1, 2).contiguous(),
        torch.arange(len(pictures)),
    )
    spec = {"shape": [3, canvas, canvas], **IMAGENET_NORMALIZE}
    views = two_views(spec, size=side, crop_scale=(0.08, 1.0), strength=1.0, blur=blur)
    transform = SimCLRTransform(input_size=side, gaussian_blur=blur)
    on_batches = {"kornia": kornia_view(side, blur), "torchvision": torchvision_view(side, blur)}

    def ours() -> int:
        return len(views(batch)[0])

    def one_by_one() -> int:
        for picture in pictures[:32]:
            transform(picture)
        return len(pictures[:32])

    def at_once(view: Callable[[Tensor], Tensor]) -> int:
        view(batch.x)
        return len(view(batch.x))

    sides = {
        "anyview": ours,
        "lightly": one_by_one,
        **{k: partial(at_once, v) for k, v in on_batches.items()},
    }
    for work in sides.values():
        work()
    turns = [{name: _rate(work, seconds) for name, work in sides.items()} for _ in range(rounds)]
    return {name: [turn[name] for turn in turns] for name in sides} | {"stages": _stages(ours, rounds)}


def kornia_view(side: int, blur: float) -> Callable[[Tensor], Tensor]:
    """One view of a batch of bytes by kornia, which draws anew for each image."""
    steps = [
        kornia.RandomResizedCrop((side, side), scale=(0.08, 1.0)),
        kornia.RandomHorizontalFlip(),
        kornia.ColorJitter(0.8, 0.8, 0.8, 0.2, p=0.8),
        kornia.RandomGrayscale(p=0.2),
        *([kornia.RandomGaussianBlur((23, 23), (0.1, 2.0), p=blur)] if blur else []),
        kornia.Normalize(IMAGENET_NORMALIZE["mean"], IMAGENET_NORMALIZE["std"]),
    ]
    view = kornia.AugmentationSequential(*steps)
    return lambda pixels: view(pixels.float() / 255)


def torchvision_view(side: int, blur: float) -> Callable[[Tensor], Tensor]:
    """One view of a batch of bytes by torchvision's v2, which draws once for all images."""
    steps = [
        v2.RandomResizedCrop((side, side), scale=(0.08, 1.0)),
        v2.RandomHorizontalFlip(),
        v2.RandomApply([v2.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
        v2.RandomGrayscale(p=0.2),
        *([v2.RandomApply([v2.GaussianBlur(23, (0.1, 2.0))], p=blur)] if blur else []),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(**IMAGENET_NORMALIZE),
    ]
    return v2.Compose(steps)


def _stages(work: Callable[[], int], calls: int) -> dict[str, float]:
    """Share of the time of ``work`` that each of ``STAGES`` takes; ``other`` is drawing, choosing rows and copies."""
    spent = dict.fromkeys(STAGES, 0.0)

    def clocked(stage: str, operator: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            start = time.perf_counter()
            found = operator(*arguments)
            spent[stage] += time.perf_counter() - start
            return found

        return run

    names = {name: stage for stage, members in STAGES.items() for name in members}
    with patch.multiple(image_ops, **{n: clocked(s, getattr(image_ops, n)) for n, s in names.items()}):
        start = time.perf_counter()
        for _ in range(calls):
            work()
        whole = time.perf_counter() - start
    shares = {stage: seconds / whole for stage, seconds in spent.items()}
    return {k: round(v, 3) for k, v in (shares | {"other": 1 - sum(shares.values())}).items()}


def _rate(work: Callable[[], int], seconds: float) -> float:
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        done += work()
    return done / spent
