"""Molecules: lipophilicity of compounds, whose scaffolds were seen or not, from graphs and from SMILES."""

import os
from functools import partial
from pathlib import Path

import pandas as pd

from anyview.data import open as open_data
from anyview.data.source import Dataset
from anyview.evaluation.features import Features, Split
from anyview.evaluation.protocols import judge
from evidence.common import Check, Evidence, Figures, Headline, Row, over_seeds, pretrained

CLAIM = (
    "On MoleculeNet's lipophilicity, SimCLR and LFR on graphs (a GIN; LFR changes no molecule) and SimCLR and MAE on "
    "SMILES (transformers) predict better by ridge regression than their untrained encoders and than Morgan "
    "fingerprints, split by scaffold; SimCLR on SMILES also at random."
)
BUDGET = 8
HEADLINES = [
    Headline("r2 at random", "simclr on SMILES", "small transformer, untrained", "Morgan fingerprint"),
    Headline("r2", "simclr on SMILES", "small transformer, untrained", "Morgan fingerprint"),
]
NOTE = (
    "Split at random, SimCLR on SMILES is 6 points above its untrained encoder and 8 below the fingerprint. Split by "
    "scaffold nothing improves on its untrained encoder: compounds of new scaffolds are another population. (LFR had "
    "gained 4 points with one seed on validation, and loses 2 over three on test, where its spread is 5.) A GIN that "
    "is not trained counts neighbourhoods, as the fingerprint does, and is hard to beat with 3,360 molecules."
)
#: two writings of a molecule are its views; more epochs than the others have cost no more on so small a network
WRITINGS = {
    "encoder__name": "transformer-nano",
    "encoder__dim": 64,
    "encoder__depth": 3,
    "encoder__heads": 4,
    "batch_size": 64,
}


def at_random() -> Dataset:
    """The split that MoleculeNet recommends for these data (arXiv:1703.00564, table 1); that by scaffold is harder."""
    table = pd.read_parquet(Path(os.environ["ANYVIEW_DATA"]) / "mol_lipophilicity" / "all.parquet")
    return open_data(table.assign(split=table["split_random"]), modality="molecule")


def fitted(embed, data: Dataset) -> dict[str, float]:
    """R² in percent and root mean squared error of a ridge regression, its strength chosen on validation."""
    parts = {n: Split(embed(s), s.label) for n, s in data.splits.items()}
    found = {r.metric: r.figures["it"].mean for r in judge({"it": Features(**parts)}, ("regression",))}
    return {"r2": 100 * found["r2"], "rmse": found["rmse"]}


def one(budget: int, seed: int) -> Figures:
    data = open_data("mol_lipophilicity")
    _, lfr = pretrained("lfr", data, seed, budget)
    _, simclr = pretrained("simclr", data, seed, budget)
    _, mae = pretrained("mae", data, seed, max(1, budget // 2), batch_size=64)
    return {
        "untrained encoder": fitted(lfr.untrained(data.train, seed).embed_source, data),
        "untrained transformer": fitted(mae.untrained(data.train, seed).embed_source, data),
        "Morgan fingerprint": fitted(lfr.raw(data.train), data),
        "lfr": fitted(lfr.embed_source, data),
        "simclr": fitted(simclr.embed_source, data),
        "mae": fitted(mae.embed_source, data),
    }


def writings(split: str, budget: int, seed: int) -> Figures:
    data = at_random() if split == "random" else open_data("mol_lipophilicity")
    _, model = pretrained("simclr", data, seed, 3 * budget // 2, **WRITINGS)
    rows = {
        "small transformer, untrained": model.untrained(data.train, seed).embed_source,
        "simclr on SMILES": model.embed_source,
    }
    if split == "random":
        rows["Morgan fingerprint"] = model.raw(data.train)
    end = " at random" if split == "random" else ""
    return {name: {f"{k}{end}": v for k, v in fitted(embed, data).items()} for name, embed in rows.items()}


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    for split in ("scaffold", "random"):
        for name, row in over_seeds(partial(writings, split), budget, seeds).items():
            rows[name] = Row(name, (rows[name].figures if name in rows else {}) | row.figures)
    untrained, plain, morgan, lfr, simclr, mae, small, smiles = rows.values()
    r2 = "r2 at random"
    return Evidence(
        list(rows.values()),
        [
            Check("r2, lfr above untrained", lfr["r2"] - untrained["r2"], 2),
            Check("r2, lfr above Morgan fingerprint", lfr["r2"] - morgan["r2"], 2),
            Check("r2, simclr above untrained", simclr["r2"] - untrained["r2"], 2),
            Check("r2, simclr above Morgan fingerprint", simclr["r2"] - morgan["r2"], 2),
            Check("r2, mae above its untrained encoder", mae["r2"] - plain["r2"], 2),
            Check("r2, mae above Morgan fingerprint", mae["r2"] - morgan["r2"], 0),
            Check("r2, simclr on SMILES above its untrained encoder", smiles["r2"] - small["r2"], 2),
            Check("r2, simclr on SMILES above Morgan fingerprint", smiles["r2"] - morgan["r2"], 0),
            Check("r2 at random, simclr on SMILES above its untrained encoder", smiles[r2] - small[r2], 2),
            Check("r2 at random, simclr on SMILES above Morgan fingerprint", smiles[r2] - morgan[r2], 0),
        ],
    )
