"""Do encoders that are good on CIFAR-10, where they learned, transfer to other images?"""

from typing import Any

import torch
from torch import Tensor

from anyview.data import open as open_data
from anyview.data.source import Dataset, Source
from anyview.evaluation.episodes import episodes
from anyview.evaluation.features import Features, Split
from anyview.evaluation.protocols import judge
from anyview.evaluation.suites.base import first_of
from anyview.evaluation.transfer import TransferStudy
from anyview.training.model import Model
from evidence.common import Check, Evidence, Figures, cifar10, judged, over_seeds, pretrained, supervised

CLAIM = (
    "Over six encoders the order on CIFAR-10, where they learned, goes with the order on other sets by a linear probe; "
    "views of other colours make SimCLR forget the colour of an image."
)
BUDGET = 12  #: epochs
HOME = "cifar10"
AWAY = {"fashion_mnist": None, "rsscn7_64": None, "emoji": "group"}  #: data and column, by a linear probe
STEPS = 500  #: of supervised training


def opened(name: str, label: str | None, spec: dict[str, Any]) -> Dataset:
    """At most 3,000 samples to fit on and 1,000 to test on."""
    found = open_data(name, modality="image", label=label, like=spec)
    parts = {"train": first_of(found.train, 3000), "test": first_of(found.split("test"), 1000)}
    return Dataset(name, found.modality, parts).with_validation(0.1, seed=0)


def colour(model: Model, data: Dataset) -> float:
    """R² of the mean of red from the embedding, the share of it that gray does not tell (per cent)."""

    def redness(source: Source) -> Tensor:
        mean = source.fetch(torch.arange(len(source))).x.float().mean((2, 3)) / 255
        return mean[:, 0] - mean.mean(1)

    splits = {n: Split(model.embed_source(s), redness(s)) for n, s in data.splits.items()}
    result = next(r for r in judge({"it": Features(**splits)}, ("regression",)) if r.metric == "r2")
    return 100 * result.figures["it"].mean


def one(budget: int, seed: int) -> Figures:
    data = cifar10(test=2000)
    _, simclr = pretrained("simclr", data, seed, budget)
    models = {
        "untrained": simclr.untrained(data.train, seed),
        "supervised": supervised(simclr, data, seed, STEPS),
        "simclr": simclr,
        "simclr, colours kept": pretrained("simclr", data, seed, budget, jitter=0.0, grayscale=0.0)[1],
        "vicreg": pretrained("vicreg", data, seed, budget)[1],
        "simclr, a quarter of the epochs": pretrained("simclr", data, seed, max(1, budget // 4))[1],
    }
    sets = {name: opened(name, label, simclr.spec) for name, label in AWAY.items()}
    characters = open_data("omniglot_small", modality="image", like=simclr.spec).split("test")
    rows: Figures = {}
    for name, model in models.items():
        rows[name] = {HOME: judged(model.embed_source, data, ("linear",))["linear"]}
        rows[name] |= {n: judged(model.embed_source, d, ("linear",))["linear"] for n, d in sets.items()}
        x, y = model.embed_source(characters), characters.label
        rows[name]["omniglot, 5 shots"] = 100 * episodes(x, y, count=600, seed=seed, by="prototypes").mean
    study = TransferStudy({n: {task: v / 100 for task, v in row.items()} for n, row in rows.items()})
    for by in ("spearman", "kendall"):
        found = study.against(HOME, by, seed)
        rows[f"{by} with {HOME}"] = {task: figure.mean for task, figure in found.items()}
        rows[f"{by}, lower end"] = {task: figure.low for task, figure in found.items()}
    for name, rank in study.mean_ranks().items():
        rows[name] |= {"mean rank": rank, "colour, R²": colour(models[name], data)}
    return rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    order = rows[f"spearman with {HOME}"]
    mean = sum(order[name] for name in AWAY) / len(AWAY)
    kept = rows["simclr, colours kept"]["colour, R²"] - rows["simclr"]["colour, R²"]
    return Evidence(
        list(rows.values()),
        [
            Check(f"Spearman with {HOME}, mean over linear probes", mean, 0.5),
            Check("R² of colour, views that keep it above views that do not", kept, 1),
        ],
    )
