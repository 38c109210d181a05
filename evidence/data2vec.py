"""data2vec, one rule on three kinds of data: spoken digits, 4,500 images of Fashion-MNIST, sentences of Brown."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from anyview.data import open as open_data
from anyview.data.source import Dataset
from anyview.methods.base import Method
from anyview.methods.masked.data2vec import Data2Vec
from anyview.training.model import Model
from evidence.common import Check, Evidence, Figures, Row, judged, over_seeds, pretrained

CLAIM = (
    "With one rule for speech, images and text, data2vec beats the untrained encoder with a linear probe, by 8 points "
    "on spoken digits and on pictures of clothes, and is no more than a point below regression of the masked values "
    "by the same trunk; the mean of the teacher's upper layers is no worse a target than its last. Targets that are "
    "not normalised, or those of a teacher without memory, deviate less than a third as much."
)
NOTE = (
    "On pictures of clothes the untrained transformer already tells a linear probe most; there neighbours gain, and "
    "the probe hardly does in so few epochs. Normalised a token at a time, as the paper does for images, targets are "
    "mostly one same vector, and the probe reads less than from the untrained one. A teacher without memory does not "
    "collapse in six epochs."
)
BUDGET = 6  #: epochs of speech and images; sentences have a third of them
TRUNK: dict[str, Any] = {"encoder__dim": 96, "encoder__depth": 3, "encoder__heads": 4}
#: what each kind of data is trained by; every variant has the same
OPTIONS: dict[str, dict[str, Any]] = {
    "speech": {"encoder__name": "ast-nano", "batch_size": 32, "lr": 3e-3},
    "images": {"encoder__name": "vit-nano", "encoder__patch": 4, "batch_size": 32},
    "text": {"encoder__name": "transformer-nano", "length": 32, "batch_size": 64, "lr": 3e-3},
}
#: kind of data -> name -> method and its own options
VARIANTS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "speech": {
        "data2vec": ("data2vec", {}),
        "last layer": ("data2vec", {"top_layers": 1}),
        "raw targets": ("data2vec", {"normalise": "none"}),
        "no memory": ("data2vec", {"method__momentum": 0.0, "end_momentum": 0.0}),
        "masked values": ("simmim", {}),
    },
    "images": {
        "data2vec": ("data2vec", {}),
        "last layer": ("data2vec", {"top_layers": 1}),
        "a token normalised alone": ("data2vec", {"normalise": "layer"}),
        "masked values": ("simmim", {}),
    },
    "text": {"data2vec": ("data2vec", {}), "last layer": ("data2vec", {"top_layers": 1})},
}


def opened(kind: str) -> tuple[Dataset, dict[str, Dataset]]:
    """What is trained on, and by name what is judged on."""
    if kind == "speech":
        data = open_data("fsdd").with_validation(0.1, seed=0)
        return data, {"": data}
    if kind == "images":
        whole = open_data("fashion_mnist", size=28)
        parts = {
            "train": whole.train.take(torch.arange(5000)),
            "test": whole.split("test").take(torch.arange(2000)),
        }
        data = Dataset("fashion_mnist", whole.modality, parts).with_validation(0.1, seed=0)
        return data, {"": data}
    corpus = open_data("english_corpus")
    parts = {"train": corpus.train.take(torch.arange(10_000))}  # which are Brown's
    judged_on = {f"{name} ": open_data(name).with_validation(0.1, seed=0) for name in ("trec", "mr")}
    return Dataset("brown", corpus.modality, parts).with_validation(0.1, seed=0), judged_on


@torch.no_grad()
def variance(method: Method, model: Model, data: Dataset) -> dict[str, float]:
    """Of targets and predictions over tokens and samples, mean over their values."""
    assert isinstance(method, Data2Vec)
    torch.manual_seed(0)
    batch = data.splits["validation"].fetch(torch.arange(256))
    x: Tensor = model.modality.inputs(batch.x, model.spec)
    method.eval()
    targets = method.targets(x, method.encoder.layout(x)[1])
    found = method([batch])
    prediction = found["prediction"][found["valid"]]
    return {
        "variance of targets": float(targets.flatten(0, 1).var(0).mean()),
        "variance of predictions": float(prediction.var(0).mean()),
    }


def variant(kind: str, name: str, budget: int, seed: int) -> Figures:
    data, judged_on = opened(kind)
    system, own = VARIANTS[kind][name]
    epochs = max(1, budget // 3) if kind == "text" else budget
    method, model = pretrained(system, data, seed, epochs, **TRUNK, **OPTIONS[kind], **own)

    def figures(embed: Any) -> dict[str, float]:
        found = {prefix: judged(embed, its) for prefix, its in judged_on.items()}
        return {prefix + k: v for prefix, its in found.items() for k, v in its.items()}

    row = figures(model.embed_source)
    if kind == "speech" and system == "data2vec":
        row |= variance(method, model, data)
    rows = {f"{kind}: {name}": row}
    if name == "data2vec":
        untrained = {f"{kind}: untrained encoder": figures(model.untrained(data.train, seed).embed_source)}
        raw = {f"{kind}: {model.modality.raw_name}": figures(model.raw(data.train))}
        rows = untrained | raw | rows
    return rows


def run(budget: int, seeds: list[int]) -> Evidence:
    parts = [partial(variant, kind, name) for kind, variants in VARIANTS.items() for name in variants]
    rows = over_seeds(parts, budget, seeds)

    def gain(kind: str, name: str, metric: str = "linear") -> float:
        """Points of data2vec above another row."""
        return rows[f"{kind}: data2vec"][metric] - rows[f"{kind}: {name}"][metric]

    last = [
        gain("speech", "last layer"),
        gain("images", "last layer"),
        gain("text", "last layer", "trec linear"),
    ]
    of: Row = rows["speech: data2vec"]
    varies = of["variance of targets"]
    checks = [
        Check("speech: linear above untrained", gain("speech", "untrained encoder"), 8),
        Check("images: linear above untrained", gain("images", "untrained encoder"), 8),
        Check("speech: linear above masked values", gain("speech", "masked values"), -1),
        Check("images: linear above masked values", gain("images", "masked values"), -1),
        Check("text: trec, linear above untrained", gain("text", "untrained encoder", "trec linear"), 0),
        Check("linear, upper layers above the last, mean of kinds", sum(last) / len(last), 0),
        Check("variance of targets", varies, 0.1),
        Check("variance of predictions", of["variance of predictions"], 0.01),
    ]
    raw = {"speech": "log-mel statistics", "images": "raw pixels"}
    checks += [Check(f"{k}: linear above {name}", gain(k, name), 1) for k, name in raw.items()]
    checks.append(
        Check("text: trec, linear above TF-IDF + SVD", gain("text", "TF-IDF + SVD", "trec linear"), 1)
    )
    for name in ("raw targets", "no memory"):  # three times the deviation
        other = max(rows[f"speech: {name}"]["variance of targets"], 1e-9)
        checks.append(
            Check(f"variance of targets, times that of {name}", varies / other, 9)
        )  # three times the deviation
    return Evidence(list(rows.values()), checks)
