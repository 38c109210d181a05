"""Graphs: the nodes of Cora on its public split, and the proteins of ENZYMES by cross-validation."""

import torch

from anyview.data import open as open_data
from anyview.data.batch import payload_cat
from anyview.data.source import Dataset, MemorySource
from evidence.common import Check, Evidence, Figures, Headline, baselines, judged, over_seeds, pretrained

CLAIM = (
    "On Cora's public split, SimCLR with views of dropped edges and hidden features and a GCN reaches 80% by a "
    "linear probe on 140 labelled nodes, far above the untrained GCN and the bags of words. On ENZYMES, SimCLR with "
    "a GIN beats the untrained GIN and histograms of degrees and labels by nearest neighbours."
)
BUDGET = 100
HEADLINES = [
    Headline("linear", "cora, simclr", "cora, untrained encoder", "cora, raw features"),
    Headline("knn", "enzymes, simclr", "enzymes, untrained encoder", "enzymes, raw features"),
]
NOTE = (
    "On ENZYMES the untrained GIN is as good: 600 proteins, whose neighbourhoods a random network of messages "
    "counts already."
)
FOLDS = 10


def one(budget: int, seed: int) -> Figures:
    cora = open_data("planetoid_cora")
    # 1,024 nodes are compared at a time; the network sees the whole graph in every step
    _, model = pretrained("simclr", cora, seed, budget, batch_size=1024, lr=1e-3)
    rows = baselines(cora, model, seed) | {"simclr": judged(model.embed_source, cora)}
    enzymes = whole(open_data("tu_enzymes"))
    _, gin = pretrained("simclr", enzymes, seed, budget // 5)
    found = {
        "untrained encoder": gin.untrained(enzymes.train, seed).embed_source,
        "raw features": gin.raw(enzymes.train),
        "simclr": gin.embed_source,
    }
    folded = {name: crossed(embed(enzymes.train), enzymes.train, seed) for name, embed in found.items()}
    return {f"cora, {k}": v for k, v in rows.items()} | {f"enzymes, {k}": v for k, v in folded.items()}


def whole(data: Dataset) -> Dataset:
    """All graphs as one split: pretraining sees no label, and every graph is judged once."""
    parts = [s.fetch(torch.arange(len(s))) for s in data.splits.values()]
    label = torch.cat([p.label for p in parts if p.label is not None])
    source = MemorySource("graph", data.spec, payload_cat([p.x for p in parts]), label, data.label_names)
    return Dataset(data.name, "graph", {"train": source})


def crossed(x: torch.Tensor, source: MemorySource, seed: int) -> dict[str, float]:
    """Mean over folds, each of which is test once and chosen on once, as InfoGraph is judged
    (arXiv:1908.01000, section 5.1)."""
    assert source.label is not None
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    order = order[source.label[order].argsort(stable=True)]
    fold = torch.empty(len(x), dtype=torch.int64)
    fold[order] = torch.arange(len(x)) % FOLDS
    found = []
    for k in range(FOLDS):
        rows = {"test": fold == k, "validation": fold == (k + 1) % FOLDS}
        rows["train"] = ~(rows["test"] | rows["validation"])
        splits = {name: source.take(part.nonzero()[:, 0]) for name, part in rows.items()}
        vectors = {id(splits[name]): x[part] for name, part in rows.items()}
        data = Dataset("fold", "graph", splits)
        found.append(judged(lambda s, v=vectors: v[id(s)], data))
    return {k: sum(f[k] for f in found) / FOLDS for k in found[0]}


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, raw, simclr, untrained_gin, histograms, gin = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("cora, linear", simclr["linear"], 80),
            Check("cora, linear above untrained", simclr["linear"] - untrained["linear"], 5),
            Check("cora, linear above raw features", simclr["linear"] - raw["linear"], 10),
            Check("cora, knn above untrained", simclr["knn"] - untrained["knn"], 5),
            Check("enzymes, knn above untrained", gin["knn"] - untrained_gin["knn"], 1),
            Check("enzymes, knn above raw features", gin["knn"] - histograms["knn"], 1),
        ],
    )
