"""From SimCLR to VICReg on 4,000 images of CIFAR-10 at 16 pixels: each step changes one choice."""

from functools import partial
from typing import Any

from anyview.analysis.duality import criteria
from evidence.common import (
    Check,
    Evidence,
    Figures,
    baselines,
    cifar10,
    judged,
    over_seeds,
    pretrained,
    projected,
)

CLAIM = (
    "All members from SimCLR to VICReg beat the untrained encoder by nearest neighbours; VICReg and its transposed, "
    "contrastive twin are close; VICReg needs no wide embeddings; the identity of the criteria holds for embeddings."
)
BUDGET = 15
BATCH = 64
COSINE: dict[str, Any] = {"axis": "samples", "normalise": "cosine", "temperature": 0.3}
#: one temperature for unit rows and one for covariances; neither is tuned to its member
VARIANTS: dict[str, dict[str, Any]] = {
    "simclr": COSINE | {"kernel": "exp"},
    "simclr-sq": COSINE | {"kernel": "exp_square"},
    "simclr-abs": COSINE | {"kernel": "exp_abs"},
    "vicreg": {"axis": "dimensions", "normalise": "centre", "kernel": "square", "out_dim": 512},
    "vicreg, 64 dimensions": {"axis": "dimensions", "normalise": "centre", "kernel": "square", "out_dim": 64},
    "vicreg-exp": {"axis": "dimensions", "normalise": "centre", "kernel": "exp", "temperature": 0.1},
    "vicreg-ctr": {"axis": "samples", "normalise": "centre", "kernel": "exp", "temperature": 0.1},
}


def variant(name: str, budget: int, seed: int) -> Figures:
    data = cifar10(train=4000, test=3000)
    method, model = pretrained("contrastive-duality", data, seed, budget, batch_size=BATCH, **VARIANTS[name])
    rows = {name: judged(model.embed_source, data, ("knn",))}
    if name == "vicreg":
        found = criteria(projected(method, model, method.projector)(data.splits["test"]))
        rows[name]["residual"] = abs(found.residual) / (found.contrastive + found.sample_norms)
        return baselines(data, model, seed, ("knn",)) | rows
    return rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    knn = {name: rows[name]["knn"] for name in rows}
    least = min(knn[name] for name in VARIANTS)
    return Evidence(
        list(rows.values()),
        [
            Check("knn, the least of the members above untrained", least - knn["untrained encoder"], 4),
            Check("knn, vicreg and vicreg-ctr apart", abs(knn["vicreg"] - knn["vicreg-ctr"]), 3, below=True),
            Check(
                "knn, vicreg of 512 and 64 dimensions apart",
                abs(knn["vicreg"] - knn["vicreg, 64 dimensions"]),
                3,
                below=True,
            ),
            Check("residual of the identity, of its sides", rows["vicreg"]["residual"], 1e-9, below=True),
        ],
    )
