"""Series: outlines of Swedish leaves, 500 of 15 species to pretrain on."""

from anyview.data import open as open_data
from evidence.common import Check, Evidence, Figures, Headline, baselines, judged, over_seeds, pretrained

CLAIM = (
    "On series, SimCLR with random crops beats the untrained encoder and raw series by nearest neighbours, and MAE "
    "its own untrained transformer by a linear probe."
)
BUDGET = 40  # of SimCLR; MAE, which sees half of each series, has half as many again
HEADLINES = [Headline("knn", "simclr", "untrained encoder", "raw series")]
NOTE = "MAE gains 4.4 points over its untrained transformer where 5 were asked for."


def one(budget: int, seed: int) -> Figures:
    data = open_data("ts_swedishleaf").with_validation(0.1, seed=0)
    _, simclr = pretrained("simclr", data, seed, budget)
    _, mae = pretrained("mae", data, seed, 3 * budget // 2)
    return baselines(data, simclr, seed) | {
        "simclr": judged(simclr.embed_source, data),
        "untrained transformer": judged(mae.untrained(data.train, seed).embed_source, data),
        "mae": judged(mae.embed_source, data),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, raw, simclr, transformer, mae = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("simclr above untrained, knn", simclr["knn"] - untrained["knn"], 5),
            Check("simclr above raw series, knn", simclr["knn"] - raw["knn"], 5),
            Check("mae above untrained, linear", mae["linear"] - transformer["linear"], 5),
        ],
    )
