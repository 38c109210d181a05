"""A training step of a GCN on Cora with its features held sparse and dense: ``python -m benchmarks.graph``.

Both compute the same; sparse, only the 1.3% of the entries that are not zero are read.
"""

import json
import statistics
import time
from collections.abc import Callable

import torch

from anyview.data import open as open_data
from anyview.data.graph.packed import Graphs, SparseRows
from anyview.encoders import registry

ROUNDS, STEPS = 5, 10


def speed() -> dict[str, float]:
    """Milliseconds of a forward and backward pass (medians over rounds, in turn), and their ratio."""
    torch.set_num_threads(1)
    cora = open_data("planetoid_cora")
    graph: Graphs = cora.pretraining.fetch(torch.arange(len(cora.pretraining))).x.graph
    assert isinstance(graph.x, SparseRows)
    forms = {"sparse": graph, "dense": graph.with_x(graph.x.dense())}
    input = {"modality": "graph", "features": "sparse", "size": graph.x.width, "entries": 28}
    encoder = registry.build("gcn-m", input)
    gradient = torch.randn(graph.count, encoder.dim)

    def step(form: Graphs) -> Callable[[], None]:
        def run() -> None:
            encoder.zero_grad()
            encoder.outputs(form)[-1].backward(gradient)

        return run

    taken: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(ROUNDS):
        for name, form in forms.items():
            taken[name].append(_milliseconds(step(form)))
    found = {name: statistics.median(values) for name, values in taken.items()}
    ratio = statistics.median(d / s for d, s in zip(taken["dense"], taken["sparse"]))
    return {**{f"{k} ms": round(v, 2) for k, v in found.items()}, "dense / sparse": round(ratio, 2)}


def _milliseconds(work: Callable[[], None]) -> float:
    work()
    start = time.perf_counter()
    for _ in range(STEPS):
        work()
    return 1000 * (time.perf_counter() - start) / STEPS


if __name__ == "__main__":
    print(json.dumps(speed(), indent=2))
