"""Molecules: lipophilicity of compounds whose scaffolds were not seen, from graphs and from SMILES."""

from anyview.data import open as open_data
from anyview.data.source import Dataset
from anyview.evaluation.features import Features, Split
from anyview.evaluation.protocols import judge
from evidence.common import Check, Evidence, Figures, over_seeds, pretrained

CLAIM = (
    "On MoleculeNet's lipophilicity, split by scaffold, SimCLR on graphs (a GIN) and MAE on SMILES (a transformer) "
    "predict better by ridge regression than their untrained encoders and than Morgan fingerprints."
)
BUDGET = 12


def fitted(embed, data: Dataset) -> dict[str, float]:
    """R² in percent and root mean squared error of a ridge regression, its strength chosen on validation."""
    parts = {n: Split(embed(s), s.label) for n, s in data.splits.items()}
    found = {r.metric: r.figures["it"].mean for r in judge({"it": Features(**parts)}, ("regression",))}
    return {"r2": 100 * found["r2"], "rmse": found["rmse"]}


def one(budget: int, seed: int) -> Figures:
    data = open_data("mol_lipophilicity")
    _, gin = pretrained("simclr", data, seed, budget)
    _, transformer = pretrained("mae", data, seed, max(1, budget // 3), batch_size=64)
    return {
        "untrained encoder": fitted(gin.untrained(data.train, seed).embed_source, data),
        "untrained transformer": fitted(transformer.untrained(data.train, seed).embed_source, data),
        "Morgan fingerprint": fitted(gin.raw(data.train), data),
        "simclr": fitted(gin.embed_source, data),
        "mae": fitted(transformer.embed_source, data),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, plain, morgan, simclr, mae = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("r2, simclr above untrained", simclr["r2"] - untrained["r2"], 2),
            Check("r2, simclr above Morgan fingerprint", simclr["r2"] - morgan["r2"], 2),
            Check("r2, mae above its untrained encoder", mae["r2"] - plain["r2"], 2),
            Check("r2, mae above Morgan fingerprint", mae["r2"] - morgan["r2"], 0),
        ],
    )
