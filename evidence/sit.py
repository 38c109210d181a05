"""SiT on 3,000 images of CIFAR-10 at 16 pixels: both losses, each alone, and fine-tuning on the same images."""

from functools import partial

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
    "SiT beats the untrained encoder; both losses together are no more than half a point below either alone; "
    "fine-tuned on the same 3,000 images it beats a network from fresh weights by 5 points."
)
BUDGET = 25
BATCH = 32
STEPS = 150


VARIANTS = {
    "sit": {},
    "sit, reconstruction alone": {"contrast": 0.0},
    "sit, contrast alone": {"lambd": 0.0},
}


def variant(name: str, budget: int, seed: int) -> Figures:
    data = cifar10(train=3000, test=2000)
    _, model = pretrained("sit", data, seed, budget, batch_size=BATCH, **VARIANTS[name], **SMALL_VIT)
    figures = judged(model.embed_source, data)
    if name != "sit":
        return {name: figures}
    train, test = data.train, data.splits["test"]
    tuned = {"finetuned": finetuned(model, train, test, seed, steps=STEPS)}
    fresh = {"finetuned": finetuned(model, train, test, seed, steps=STEPS, scratch=True)}
    return baselines(data, model, seed) | {"fresh weights": fresh, name: figures | tuned}


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    untrained, _, fresh, sit, recon, contrast = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", sit["knn"] - untrained["knn"], 2),
            Check("linear, both above reconstruction alone", sit["linear"] - recon["linear"], -0.5),
            Check("linear, both above contrast alone", sit["linear"] - contrast["linear"], -0.5),
            Check("fine-tuned above fresh weights", sit["finetuned"] - fresh["finetuned"], 5),
        ],
    )
