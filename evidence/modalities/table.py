"""SimCLR and MAE on 8,000 rows of Adult, beside raw columns and gradient boosting.

``fewshot-N`` have N labels a class, ``linear`` and ``knn`` all 7,200. A quarter of the rows are above 50K.
Boosting is given all labels and the columns themselves.
"""

import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from anyview.data import open as open_data
from anyview.data.loader import batches
from anyview.data.source import Dataset, Source
from evidence.common import Check, Evidence, Figures, Headline, baselines, judged, over_seeds, pretrained

CLAIM = "With ten labels a class, SimCLR and MAE beat the untrained encoder and raw columns (scaled, one-hot) on Adult."
BUDGET = 20
HEADLINES = [
    Headline("fewshot-10", "mae (transformer)", "untrained transformer", "raw columns"),
    Headline("fewshot-10", "simclr", "untrained encoder", "raw columns"),
]
NOTE = (
    "With all labels raw columns and gradient boosting win, as they usually do on tables; pretraining helps "
    "where labels are few."
)
PROTOCOLS = ("fewshot", "linear", "knn")


def adult(train: int = 8000, test: int = 4000) -> Dataset:
    """Random rows of the official splits, the same for every seed; a tenth of train to choose on."""
    whole, draw = open_data("adult"), torch.Generator().manual_seed(1)
    parts = {
        name: whole.split(name).take(torch.randperm(len(whole.split(name)), generator=draw)[:count])
        for name, count in (("train", train), ("test", test))
    }
    return Dataset("adult", whole.modality, parts).with_validation(0.1, seed=0)


def boosting(data: Dataset, seed: int) -> dict[str, float]:
    """Accuracy of gradient boosting with all labels, in percent: what a table is usually given to."""

    def columns(source: Source) -> torch.Tensor:
        return torch.cat([torch.cat([b.x["numeric"], b.x["categorical"]], 1) for b in batches(source, 4096)])

    train, test = data.splits["train"], data.splits["test"]
    first = len(data.spec["numeric"])
    categories = list(range(first, first + len(data.spec["categorical"])))
    trees = HistGradientBoostingClassifier(categorical_features=categories, random_state=seed)
    trees.fit(columns(train).numpy(), train.label.numpy())
    return {"supervised": 100 * trees.score(columns(test).numpy(), test.label.numpy())}


def one(budget: int, seed: int) -> Figures:
    data = adult()
    _, simclr = pretrained("simclr", data, seed, budget)
    # a smaller transformer than the default, as small as it learns
    small = {"encoder__dim": 48, "encoder__depth": 3}
    _, mae = pretrained("mae", data, seed, max(1, budget // 3), **small)
    return baselines(data, simclr, seed, PROTOCOLS) | {
        "simclr": judged(simclr.embed_source, data, PROTOCOLS),
        "untrained transformer": judged(mae.untrained(data.train, seed).embed_source, data, PROTOCOLS),
        "mae (transformer)": judged(mae.embed_source, data, PROTOCOLS),
        "gradient boosting, all labels": boosting(data, seed),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, raw, simclr, bare, mae, _ = rows.values()
    few = "fewshot-10"
    return Evidence(
        list(rows.values()),
        [
            Check("simclr above untrained, 10 labels a class", simclr[few] - untrained[few], 2),
            Check("mae above untrained, 10 labels a class", mae[few] - bare[few], 2),
            Check("simclr above raw columns, 10 labels a class", simclr[few] - raw[few], 1),
            Check("mae above raw columns, 10 labels a class", mae[few] - raw[few], 1),
        ],
    )
