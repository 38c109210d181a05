"""MAE on 8,000 images of CIFAR-10 at 16 pixels: what masking much is worth."""

from evidence.common import Check, Evidence, Row, baselines, cifar10, judged, pretrained

CLAIM = (
    "MAE beats the untrained encoder by a linear probe and by nearest neighbours, and raw pixels by a linear "
    "probe; hiding three quarters of the patches is better than hiding a tenth."
)
BUDGET = 20
BATCH = 64


def run(budget: int, seeds: list[int]) -> Evidence:
    data = cifar10()
    full, little = [], []
    for seed in seeds:
        _, model = pretrained("mae", data, seed, budget, batch_size=BATCH)
        full.append(judged(model.embed_source, data))
        _, easy = pretrained("mae", data, seed, budget, batch_size=BATCH, mask_ratio=0.1)
        little.append(judged(easy.embed_source, data))
    untrained, raw = baselines(data, model, seeds)
    mae, tenth = Row.over("mae", full), Row.over("mae, a tenth hidden", little)
    return Evidence(
        [untrained, raw, mae, tenth],
        [
            Check("linear above untrained", mae["linear"] - untrained["linear"], 5),
            Check("knn above untrained", mae["knn"] - untrained["knn"], 3),
            Check("linear above raw pixels", mae["linear"] - raw["linear"], 1),
            Check("linear, three quarters hidden above a tenth", mae["linear"] - tenth["linear"], 1),
        ],
    )
