"""MP3 on 6,000 images of CIFAR-10 at 16 pixels in patches of 2: 64 places, found by content alone."""

import torch
from torch import Tensor

from anyview.data.source import Dataset
from anyview.methods.base import Method
from anyview.methods.masked.mp3 import MP3
from anyview.training.model import Model
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
from evidence.finetune import finetuned

CLAIM = (
    "MP3 names the place of patches of images it has not seen, of 64, far above chance, and less well the fewer "
    "patches it may look at. It beats the untrained encoder, and fine-tuned on 2,000 labels, still without positions, "
    "a network from fresh weights by 3 points."
)
NOTE = (
    "Places take far longer than this budget to be named. With 4 layers of 128 dimensions, 18,000 images at 32 pixels "
    "in patches of 4 and 40 epochs (half an hour of a processor; one run, seed 3), 15.3 % are named right with all "
    "patches in sight, 14.9 with a quarter hidden, 11.3 with three quarters and 4.3 with nineteen of twenty."
)
BUDGET = 33
BATCH = 64
STEPS = 300


@torch.no_grad()
def named_places(method: Method, model: Model, data: Dataset, ratio: float) -> float:
    """Share of the tokens of test images whose place is named right, in percent."""
    assert isinstance(method, MP3)
    method.eval()
    held, method.mask_ratio = method.mask_ratio, ratio
    x: Tensor = model.modality.inputs(data.splits["test"].fetch(torch.arange(500)).x, model.spec)
    seed_step(0, 0)
    batch = data.splits["test"].fetch(torch.arange(500)).with_x(x)
    out = method([batch])
    method.mask_ratio = held
    return 100 * float((out["prediction"].argmax(-1) == out["target"]).float().mean())


def one(budget: int, seed: int) -> Figures:
    data = cifar10(train=6000, test=2000)
    options = {"batch_size": BATCH, "encoder__patch": 2, **SMALL_VIT}
    method, model = pretrained("mp3", data, seed, budget, **options)
    places = {f"places {r:g}": named_places(method, model, data, r) for r in (0.25, 0.75, 0.95)}
    few, test = data.train.take(torch.arange(2000)), data.splits["test"]
    figures = baselines(data, model, seed)
    figures["mp3"] = (
        judged(model.embed_source, data)
        | places
        | {"finetuned": finetuned(model, few, test, seed, steps=STEPS)}
    )
    figures["fresh weights"] = {"finetuned": finetuned(model, few, test, seed, steps=STEPS, scratch=True)}
    return figures


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, _, mp3, fresh = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("places named right on unseen images (chance 1.6)", mp3["places 0.75"], 15),
            Check("more with more context", mp3["places 0.25"] - mp3["places 0.75"], 0),
            Check("fewer with less", mp3["places 0.75"] - mp3["places 0.95"], 0),
            Check("knn above untrained", mp3["knn"] - untrained["knn"], 1),
            Check("fine-tuned above fresh weights", mp3["finetuned"] - fresh["finetuned"], 3),
        ],
    )
