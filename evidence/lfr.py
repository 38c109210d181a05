"""LFR on 5,000 images of CIFAR-10 at 16 pixels, with one random network, and all trained at once."""

from functools import partial

from evidence.common import Check, Evidence, Figures, baselines, cifar10, judged, over_seeds, pretrained

CLAIM = (
    "LFR beats the untrained encoder by 4 points with a linear probe, without any augmentation; six random networks "
    "are no worse than one, and taking turns no worse than training all at once."
)
BUDGET = 80
NOTE = (
    "The rate of 0.008 was chosen on seeds 3 and 4, the first tried beside the default, which misses two checks on "
    "these seeds: 0.6 above raw pixels, and 1.1 below all at once. What turns gain over all at once by a linear "
    "probe is within its error; by nearest neighbours all at once is 1.3 better."
)
BATCH, RATE = 128, 8e-3


#: what each has of its own, and its share of the epochs: half of them are the encoder's when it takes turns
VARIANTS: dict[str, tuple[dict[str, int], float]] = {
    "lfr": ({}, 1),
    "lfr, one random network": ({"targets": 1}, 1),
    "lfr, all at once": ({"predictor_epochs": 0}, 0.5),
}


def variant(name: str, budget: int, seed: int) -> Figures:
    data = cifar10(train=5000, test=2000)
    own, share = VARIANTS[name]
    _, model = pretrained("lfr", data, seed, round(share * budget), batch_size=BATCH, lr=RATE, **own)
    rows = {name: judged(model.embed_source, data)}
    return baselines(data, model, seed) | rows if name == "lfr" else rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    untrained, raw, lfr, single, joint = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("linear above untrained", lfr["linear"] - untrained["linear"], 4),
            Check("linear above raw pixels", lfr["linear"] - raw["linear"], 1),
            Check("linear, six random networks above one", lfr["linear"] - single["linear"], 0),
            Check("linear, turns above all at once", lfr["linear"] - joint["linear"], 0),
        ],
    )
