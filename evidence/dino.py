"""DINO on CIFAR-10 at 16 pixels, without its centre and without sharpening."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from anyview.data.loader import batches
from anyview.data.source import Dataset
from anyview.methods.base import Method
from anyview.training.model import Model
from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "DINO beats the untrained encoder by nearest neighbours, and its teacher's targets tell images apart. Without the "
    "centre, or with a teacher as soft as the student, they tell nothing: all are the same one."
)
BUDGET = 12
BATCH = 64
#: at 16 pixels two crops of a twentieth have nothing in common
VIEWS = {"global_scale": (0.4, 1.0), "local_scale": (0.2, 0.5), "local_count": 2}
SOFT = {"start_temperature": 0.1, "teacher_temperature": 0.1}


def information(probabilities: Tensor) -> float:
    """Nats that a target tells of its sample: the entropy of their mean less their mean entropy."""
    return float(entropy(probabilities.mean(0)) - entropy(probabilities).mean())


def entropy(p: Tensor) -> Tensor:
    return -(p * p.clamp_min(1e-30).log()).sum(-1)


@torch.no_grad()
def targets(method: Method, model: Model, data: Dataset) -> float:
    """What the teacher's targets tell of the test images."""
    averaged: Any = method.eval().teacher.module  # type: ignore[union-attr]
    encoder, head, *_ = averaged
    xs = [model.modality.inputs(b.x, model.spec) for b in batches(data.splits["test"], 256)]
    logits = torch.cat([head(encoder(x)) for x in xs])
    return information(method.centre(logits, method.sharpness()))  # type: ignore[operator]


#: what each has of its own, and its share of the epochs
VARIANTS: dict[str, tuple[dict[str, float], float]] = {
    "dino": ({}, 1),
    "dino, no centre": ({"centre_momentum": 1.0}, 1 / 3),
    "dino, no sharpening": (SOFT, 1 / 3),
}


def variant(name: str, budget: int, seed: int) -> Figures:
    data = cifar10(train=4000, test=2000)
    own, share = VARIANTS[name]
    method, model = pretrained("dino", data, seed, int(share * budget), batch_size=BATCH, **VIEWS, **own)
    rows = {name: judged(model.embed_source, data, ("knn",)) | {"information": targets(method, model, data)}}
    return baselines(data, model, seed, ("knn",)) | rows if name == "dino" else rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    untrained, _, dino, centre, sharp = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", dino["knn"] - untrained["knn"], 5),
            Check("nats that a target tells of its image", dino["information"], 0.5),
            Check("alike, no centre", centre["information"], 0.1, below=True),
            Check("alike, no sharpening", sharp["information"], 0.1, below=True),
        ],
    )
