"""Volumes: chairs and monitors as occupancy grids of 16 voxels a side, judged with few labels."""

from anyview.data import open as open_data
from anyview.data.source import Dataset
from evidence.common import Check, Evidence, Figures, Headline, baselines, judged, over_seeds, pretrained

CLAIM = (
    "On ModelNet's chairs and monitors at 16 x 16 x 16 voxels, SimCLR beats the untrained encoder and raw "
    "voxels with five labels a class, and MAE beats its untrained transformer."
)
BUDGET = 20
HEADLINES = [Headline("fewshot-5", "simclr", "untrained encoder", "raw voxels")]
PROTOCOLS = ("fewshot", "knn", "linear")


def data() -> Dataset:
    return open_data("modelnet_voxels", size=16).with_validation(0.1, seed=0)


def one(budget: int, seed: int) -> Figures:
    found = data()
    _, simclr = pretrained("simclr", found, seed, budget, encoder__stem=2)
    _, mae = pretrained("mae", found, seed, budget, batch_size=64)
    rows = baselines(found, simclr, seed, PROTOCOLS)
    rows["untrained transformer"] = judged(mae.untrained(found.train, seed).embed_source, found, PROTOCOLS)
    rows["simclr"] = judged(simclr.embed_source, found, PROTOCOLS)
    rows["mae (transformer)"] = judged(mae.embed_source, found, PROTOCOLS)
    return rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, raw, other, simclr, mae = rows.values()
    few = "fewshot-5"
    return Evidence(
        list(rows.values()),
        [
            Check("simclr, five labels a class, above untrained", simclr[few] - untrained[few], 5),
            Check("simclr, five labels a class, above raw voxels", simclr[few] - raw[few], 1),
            Check("mae, five labels a class, above its untrained transformer", mae[few] - other[few], 3),
        ],
    )
