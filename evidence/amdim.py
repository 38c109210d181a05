"""AMDIM on CIFAR-10 at 32 pixels, beside the same system without its maps."""

from functools import partial

from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "AMDIM beats the untrained encoder by a linear classifier, and the same network trained by comparing vectors of "
    "whole views alone."
)
BUDGET = 28
BATCH = 32  #: each vector still has some 1,500 negatives
#: peak rate of each, that by which it learns more in as many steps: the default is better without the maps
RATES = {"parts": 1e-2, "whole": None}
ROWS = {"parts": "amdim", "whole": "amdim, whole with whole only"}


def variant(compare: str, budget: int, seed: int) -> Figures:
    data = cifar10(size=32, train=3000)
    network = {"encoder__name": "localnet-s", "encoder__width": 16}
    _, model = pretrained(
        "amdim", data, seed, budget, batch_size=BATCH, lr=RATES[compare], compare=compare, **network
    )
    found = baselines(data, model, seed) if compare == "parts" else {}
    return found | {ROWS[compare]: judged(model.embed_source, data)}


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, compare) for compare in ROWS], budget, seeds)
    untrained, _, amdim, whole = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("linear above untrained", amdim["linear"] - untrained["linear"], 8),
            Check("linear above whole with whole", amdim["linear"] - whole["linear"], 1),
        ],
    )
