"""data2vec on 5,000 images of CIFAR-10 at 16 pixels, with its own ablations."""

import torch
from torch import Tensor

from anyview.data.source import Dataset
from anyview.methods.base import Method
from anyview.methods.masked.data2vec import Data2Vec
from anyview.training.model import Model
from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "data2vec beats the untrained encoder by 8 points with a linear probe and is no more than a point below MAE with "
    "the same trunk; the mean of the teacher's upper layers is no worse a target than its last; targets that are not "
    "normalised, from a teacher without memory, vary less than a third as much."
)
BUDGET = 12
BATCH = 64


@torch.no_grad()
def target_deviation(method: Method, model: Model, data: Dataset) -> float:
    """Deviation of the targets over tokens and samples, mean over their values."""
    assert isinstance(method, Data2Vec)
    x: Tensor = model.modality.inputs(data.splits["validation"].fetch(torch.arange(256)).x, model.spec)
    method.eval()
    targets = method.targets(x, method.encoder.layout(x)[1])
    return float(targets.flatten(0, 1).std(0).mean())


def one(budget: int, seed: int) -> Figures:
    data = cifar10(train=5000, test=2000)
    method, model = pretrained("data2vec", data, seed, budget, batch_size=BATCH)
    _, last = pretrained("data2vec", data, seed, budget, batch_size=BATCH, top_layers=1)
    unkept = {"normalise": "none", "method__momentum": 0.0, "end_momentum": 0.0}
    bare, loose = pretrained("data2vec", data, seed, budget, batch_size=BATCH, **unkept)
    _, mae = pretrained("mae", data, seed, budget, batch_size=BATCH)
    figures = {
        "data2vec": judged(model.embed_source, data) | {"target": target_deviation(method, model, data)},
        "data2vec, last layer": judged(last.embed_source, data),
        "data2vec, raw targets, no memory": judged(loose.embed_source, data)
        | {"target": target_deviation(bare, loose, data)},
        "mae": judged(mae.embed_source, data),
    }
    return baselines(data, model, seed) | figures


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, raw, data2vec, last, loose, mae = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("linear above untrained", data2vec["linear"] - untrained["linear"], 8),
            Check("linear above raw pixels", data2vec["linear"] - raw["linear"], 1),
            Check("linear above mae", data2vec["linear"] - mae["linear"], -1),
            Check("linear, upper layers above the last", data2vec["linear"] - last["linear"], 0),
            Check(
                "deviation of targets, times that of raw ones",
                data2vec["target"] / max(loose["target"], 1e-6),
                3,
            ),
        ],
    )
