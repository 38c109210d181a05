"""ALIGN on the emoji of two vendors at 20 pixels: more pairs with wrong captions among them against fewer."""

import torch

from anyview.data.source import Dataset
from evidence.common import Check, Evidence, Figures, over_seeds, pretrained
from evidence.modalities.image_text import data, recalls, shuffled

CLAIM = (
    "ALIGN finds at least five times as much as the untrained encoder; three times the pairs with 30 % of the captions "
    "wrong are worth at least as much as the third with none wrong, in as many passes over them."
)
BUDGET = 5


def one(budget: int, seed: int) -> Figures:
    train, tests = data()
    third = train.train.take(
        torch.randperm(len(train.train), generator=torch.Generator().manual_seed(seed))[::3]
    )
    settings = {
        "align": train,
        "align, 30 % wrong": shuffled(train, 0.3, seed),
        "align, a third of the pairs": Dataset(train.name, train.modality, {"train": third}),
    }
    models = {
        row: pretrained("align", where, seed, budget, batch_size=64)[1] for row, where in settings.items()
    }
    untrained = models["align"].untrained(train.train, seed)
    return {"untrained encoder": recalls(untrained, tests)} | {
        row: recalls(model, tests) for row, model in models.items()
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    figure = "known i>t @10"
    noisy, third = rows["align, 30 % wrong"][figure], rows["align, a third of the pairs"][figure]
    return Evidence(
        list(rows.values()),
        [
            Check(
                "known i>t @10, times the untrained encoder's",
                rows["align"][figure] / max(rows["untrained encoder"][figure], 0.1),
                5,
            ),
            Check("known i>t @10, 30 % wrong above a third", noisy - third, 0),
        ],
    )
