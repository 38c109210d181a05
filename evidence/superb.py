"""SUPERB's frozen protocol on spoken digits and their speakers: layers weighted for each task."""

import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset
from anyview.encoders.weights import fingerprint
from anyview.evaluation.features import Labelled
from anyview.evaluation.protocols.layers import WeightedRegression, layer_means
from anyview.evaluation.protocols.linear import Linear
from anyview.evaluation.suites.base import first_of
from anyview.training.model import Model
from evidence.common import Check, Evidence, Figures, over_seeds, pretrained

CLAIM = (
    "A transformer pretrained by MAE or data2vec on spoken digits, frozen, tells digits and speakers by its weighted "
    "layers better than the same one untrained; its weights do not move."
)
BUDGET = 40  #: epochs
PENALTY = 1e-3  #: one for all, so that weights of layers compare
NETWORK = {"encoder__name": "transformer-nano", "encoder__dim": 64, "encoder__depth": 3, "encoder__heads": 4}


def spoken(label: str) -> Dataset:
    """Half of the train takes, and all test takes, of which no take is in train."""
    found = open_data("fsdd", label=label)
    parts = {"train": first_of(found.train, 1350), "test": found.split("test")}
    return Dataset("fsdd", found.modality, parts)


def weighted(model: Model, data: Dataset) -> tuple[float, list[float]]:
    """Accuracy on test in per cent, and the weights of the layers."""
    train, test = (layer_means(model, data.splits[name]) for name in ("train", "test"))
    mean, std = train.mean(0), train.std(0).clamp(min=1e-6)
    problem = WeightedRegression(((train - mean) / std).flatten(1), data.train.label, 10, train.shape[1])
    found = problem.fit(PENALTY, 1e-7)(((test - mean) / std).flatten(1))[0]
    accuracy = 100 * float((found == data.splits["test"].label).double().mean())
    return accuracy, problem.parts(problem.solution)[0].tolist()


def one(budget: int, seed: int) -> Figures:
    tasks = {"digit": spoken("label"), "speaker": spoken("speaker")}
    heard = tasks["digit"]
    models = {
        "data2vec": pretrained("data2vec", heard, seed, budget, batch_size=64, **NETWORK)[1],
        "mae": pretrained("mae", heard, seed, budget, batch_size=64, **NETWORK)[1],
    }
    models = {"untrained": models["mae"].untrained(heard.train, seed)} | models
    rows: Figures = {"log-mel statistics": {}}
    for task, data in tasks.items():
        raw = models["mae"].raw(data.train)
        splits = {n: Labelled(raw(s), s.label) for n, s in data.with_validation(0.1, seed).splits.items()}
        right = Linear(splits["train"], splits["validation"])(splits["test"].x)[0] == splits["test"].label
        rows["log-mel statistics"][task] = 100 * float(right.double().mean())
    for name, model in models.items():
        before, rows[name] = fingerprint(model.encoder), {}
        for task, data in tasks.items():
            rows[name][task], weights = weighted(model, data)
            rows[name] |= {f"{task}, layer {i}": w for i, w in enumerate(weights)}
            rows[name][f"{task}, mean layer"] = sum(i * w for i, w in enumerate(weights))
        rows[name]["weights moved"] = float(fingerprint(model.encoder) != before)
    return rows


def run(budget: int, seeds: list[int]) -> Evidence:
    torch.set_num_threads(1)
    rows = over_seeds(one, budget, seeds)
    checks = [
        Check(f"{task}, {name} above untrained", rows[name][task] - rows["untrained"][task], 1)
        for name in ("mae", "data2vec")
        for task in ("digit", "speaker")
    ]
    above_raw = rows["mae"]["digit"] - rows["log-mel statistics"]["digit"]
    moved = sum(rows[name]["weights moved"] for name in ("untrained", "mae", "data2vec"))
    return Evidence(
        list(rows.values()),
        [
            *checks,
            Check(
                "digit, mae above log-mel statistics",
                above_raw,
                10,
            ),
            Check("encoders whose weights moved", moved, 0.5, below=True),
        ],
    )
