"""UDI on CIFAR-10 with a small ViT, and without its loss on patches."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from anyview.data.source import Dataset
from anyview.encoders.correspondence import Crop, crops, in_crop, in_image
from anyview.methods.base import Method
from anyview.methods.distillation.dino import LARGE
from anyview.methods.distillation.udi import cut
from anyview.training.step import seed_step
from evidence.common import (
    SMALL_VIT,
    Check,
    Evidence,
    Figures,
    baselines,
    cifar10,
    judged,
    over_seeds,
    pretrained,
)
from evidence.dino import entropy

CLAIM = (
    "The target of UDI's second class token has more modes than that of the first, and its patches find their place in "
    "another crop of the image more often than without the loss on patches."
)
NOTE = (
    "Longer training does not settle which target is softer: after 22 epochs (11.6 min) the second has 0.08 nats less "
    "on these seeds and patches are found 8.8 points more often; after 26, on seeds 3 and 4, it has 0.25 more."
)
BUDGET = 13
VIEWS = {"global_scale": (0.4, 1.0), "local_scale": (0.2, 0.5), "local_count": 2}
OPTIONS: dict[str, Any] = {"batch_size": 32, "out_dim": 1024, **VIEWS, **SMALL_VIT}
VARIANTS: dict[str, dict[str, Any]] = {"udi": {}, "udi, no loss on patches": {"patch_weight": 0.0}}


@torch.no_grad()
def seen(method: Method, data: Dataset) -> dict[str, float]:
    """Mean entropies of the teacher's targets in nats, and the share of patches of one large crop of a test image whose
    nearest patch of the other, by cosine, is at most a cell from where it should be, in percent."""
    udi: Any = method.eval()
    targets, right = {"first": [], "second": []}, []
    test = data.splits["test"]
    for start in range(0, 1000, 100):
        seed_step(0, start)
        views = udi.make_views(test.fetch(torch.arange(start, start + 100)))
        found = udi(views)
        for name, centre, logits in (
            ("first", udi.centre, found["teacher"]),
            ("second", udi.second_centre, found["second_teacher"]),
        ):
            targets[name].append(entropy(centre(logits, udi.sharpness())).mean())
        right.append(matched(*crops(udi.encoder, [cut(view) for view in views[:LARGE]])))
    return {
        "entropy of the first target": float(torch.stack(targets["first"]).mean()),
        "entropy of the second": float(torch.stack(targets["second"]).mean()),
        "patches found": 100 * float(torch.cat(right).float().mean()),
    }


def matched(one: Crop, other: Crop) -> Tensor:
    """Whether each patch of one crop that shows a part of the other finds it there."""
    at, inside = in_crop(in_image(one.coords, *one.frame), *other.frame)
    near = (F.normalize(one.values, dim=-1) @ F.normalize(other.values, dim=-1).mT).argmax(-1)
    found = other.coords.gather(1, near[..., None].expand(-1, -1, 2))
    return ((found - at).abs() <= 1).all(-1)[inside]


def variant(name: str, budget: int, seed: int) -> Figures:
    data = cifar10(size=32, train=2000, test=1000)
    method, model = pretrained("udi", data, seed, budget, **OPTIONS, **VARIANTS[name])
    rows = {name: judged(model.embed_source, data, ("knn",)) | seen(method, data)}
    return baselines(data, model, seed, ("knn",)) | rows if name == "udi" else rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    untrained, _, udi, crops = rows.values()
    more = udi["entropy of the second"] - udi["entropy of the first target"]
    return Evidence(
        list(rows.values()),
        [
            Check("nats of entropy that the second target has above the first", more, 0.1),
            Check(
                "patches found, above no loss on patches", udi["patches found"] - crops["patches found"], 5
            ),
            Check("knn above untrained", udi["knn"] - untrained["knn"], 0),
        ],
    )
