"""SimCLR on 8,000 images of CIFAR-10 at 16 pixels, with its own ablations."""

from evidence.common import (
    Check,
    Evidence,
    Figures,
    Headline,
    baselines,
    cifar10,
    judged,
    over_seeds,
    pretrained,
    projected,
)

CLAIM = (
    "SimCLR beats the untrained encoder and raw pixels by nearest neighbours; the layer before the head is better "
    "than the head's output; crop and colour together beat crop alone; a non-linear head beats none."
)
BUDGET = 25
HEADLINES = [Headline("knn", "simclr", "untrained encoder", "raw pixels")]
HEAD = 32  #: its output is narrower than the encoder's (64), as 128 is than 2,048 in the paper


def one(budget: int, seed: int) -> Figures:
    data = cifar10()
    method, model = pretrained("simclr", data, seed, budget, out_dim=HEAD)
    _, crop = pretrained("simclr", data, seed, budget, out_dim=HEAD, jitter=0.0, grayscale=0.0)
    _, bare = pretrained("simclr", data, seed, budget, layers=0)
    return baselines(data, model, seed) | {
        "simclr": judged(model.embed_source, data),
        "simclr, output of the head": judged(projected(method, model, method.projector), data),
        "simclr, crop and flip only": judged(crop.embed_source, data),
        "simclr, no head": judged(bare.embed_source, data),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, raw, simclr, z, crop, none = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("knn above untrained", simclr["knn"] - untrained["knn"], 6),
            Check("knn above raw pixels", simclr["knn"] - raw["knn"], 3),
            Check("linear, before the head above after it", simclr["linear"] - z["linear"], 3),
            Check("knn, crop and colour above crop alone", simclr["knn"] - crop["knn"], 2),
            Check("linear, non-linear head above none", simclr["linear"] - none["linear"], 2),
        ],
    )
