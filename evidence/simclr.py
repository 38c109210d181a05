"""SimCLR on 8,000 images of CIFAR-10 at 16 pixels, with its own ablations."""

from evidence.common import Check, Evidence, Row, baselines, cifar10, judged, pretrained, projected

CLAIM = (
    "SimCLR beats the untrained encoder and raw pixels by nearest neighbours; the layer before the head is better "
    "than the head's output; crop and colour together beat crop alone; a non-linear head beats none."
)
BUDGET = 25
HEAD = 32  #: its output is narrower than the encoder's (64), as 128 is than 2,048 in the paper


def run(budget: int, seeds: list[int]) -> Evidence:
    data = cifar10()
    full, heads, crops, headless = [], [], [], []
    for seed in seeds:
        method, model = pretrained("simclr", data, seed, budget, out_dim=HEAD)
        full.append(judged(model.embed_source, data))
        heads.append(judged(projected(method, model, method.projector), data))
        _, cropped = pretrained("simclr", data, seed, budget, out_dim=HEAD, jitter=0.0, grayscale=0.0)
        crops.append(judged(cropped.embed_source, data))
        _, bare = pretrained("simclr", data, seed, budget, layers=0)
        headless.append(judged(bare.embed_source, data))
    untrained, raw = baselines(data, model, seeds)
    simclr, z = Row.over("simclr", full), Row.over("simclr, output of the head", heads)
    crop, none = Row.over("simclr, crop and flip only", crops), Row.over("simclr, no head", headless)
    return Evidence(
        [untrained, raw, simclr, z, crop, none],
        [
            Check("knn above untrained", simclr["knn"] - untrained["knn"], 6),
            Check("knn above raw pixels", simclr["knn"] - raw["knn"], 3),
            Check("linear, before the head above after it", simclr["linear"] - z["linear"], 3),
            Check("knn, crop and colour above crop alone", simclr["knn"] - crop["knn"], 2),
            Check("linear, non-linear head above none", simclr["linear"] - none["linear"], 2),
        ],
    )
