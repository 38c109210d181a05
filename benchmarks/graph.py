"""``python -m benchmarks.graph``: a step of Deep Graph Infomax on all of Cora beside PyG's example of it.

PyG's holds the features of nodes as a dense matrix, as its ``infomax_transductive`` does: one ``GCNConv`` of 512 with a
PReLU, features in random order for what is wrong, Adam. Ours computes the same loss by its own GCN of the same width on
sparse features: of bags of words 1.3 % are not zero, and no others are read. Both take turns in one process. Figures
are kept in ``results/graph.json``. It needs ``$ANYVIEW_DATA/planetoid_cora`` and the extra ``anyview[graph]``.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn

from anyview.data import open as open_data
from anyview.data.graph.packed import Graphs, SparseRows
from anyview.encoders import registry
from benchmarks import machine
from benchmarks.table import summary

RESULT = Path(__file__).parent / "results" / "graph.json"
WIDTH, RATE, TARGET = 512, 1e-3, 3.0
STEPS, WARMUP = 20, 3  #: of a turn


def cora() -> Graphs:
    """The whole graph, features of each node in sum 1 (the example's ``NormalizeFeatures``)."""
    data = open_data("planetoid_cora")
    graph: Graphs = data.pretraining.fetch(torch.arange(len(data.pretraining))).x.graph
    assert isinstance(graph.x, SparseRows)
    value = torch.ones_like(graph.x.value) / graph.x.length.clamp_min(1).repeat_interleave(graph.x.length)
    return graph.with_x(SparseRows(graph.x.column, value, graph.x.length, graph.x.width))


class Infomax(nn.Module):
    """The loss of Deep Graph Infomax (arXiv:1809.10341, equation 1) of an encoder's right and wrong nodes."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.weight = nn.Parameter(torch.empty(WIDTH, WIDTH).uniform_(-(WIDTH**-0.5), WIDTH**-0.5))

    def forward(self, graph: Graphs) -> Tensor:
        assert isinstance(graph.x, SparseRows)
        right = self.encoder.outputs(graph)[-1]
        wrong = self.encoder.outputs(shuffled(graph))[-1]
        towards = self.weight @ right.mean(0).sigmoid()
        return -F.logsigmoid(right @ towards).mean() - F.logsigmoid(-(wrong @ towards)).mean()


def shuffled(graph: Graphs) -> Graphs:
    """The same edges between nodes whose features are another's. What is known of the edges is known of these too."""
    other = graph.with_x(graph.x[torch.randperm(graph.count)])
    if "_symmetric" in graph.__dict__:
        other.__dict__["_symmetric"] = graph.__dict__["_symmetric"]
    return other


def ours(graph: Graphs) -> Callable[[], float]:
    input = {"modality": "graph", "features": "sparse", "size": graph.x.width, "entries": 18}
    model = Infomax(registry.build("gcn-l", input, width=WIDTH, layers=1))
    return _step(model, lambda: model(graph))


def theirs(graph: Graphs) -> Callable[[], float]:
    """As in PyG's ``examples/infomax_transductive.py``."""
    from torch_geometric.nn import DeepGraphInfomax, GCNConv

    assert isinstance(graph.x, SparseRows)
    x, edge_index = graph.x.dense(), graph.edge_index

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = GCNConv(x.shape[1], WIDTH)
            self.prelu = nn.PReLU(WIDTH)

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            return self.prelu(self.conv(x, edge_index))

    def corruption(x: Tensor, edge_index: Tensor) -> tuple[Tensor, Tensor]:
        return x[torch.randperm(x.size(0))], edge_index

    model = DeepGraphInfomax(
        hidden_channels=WIDTH,
        encoder=Encoder(),
        summary=lambda z, *args, **kwargs: z.mean(dim=0).sigmoid(),
        corruption=corruption,
    )
    return _step(model, lambda: model.loss(*model(x, edge_index)))


def _step(model: nn.Module, loss_of: Callable[[], Tensor]) -> Callable[[], float]:
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    model.train()

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def turn(step: Callable[[], float]) -> float:
    """Milliseconds a step."""
    for _ in range(WARMUP):
        step()
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    return 1000 * (time.perf_counter() - start) / STEPS


def main() -> int:
    options = _options()
    start, here = time.monotonic(), machine.describe()
    console = Console(highlight=False, width=120)
    console.print(machine.said(here))
    graph = cora()
    console.print(f"data      {graph.count:,} nodes, {graph.edge_index.shape[1]:,} edges both ways")
    torch.manual_seed(0)
    steps = {"anyview": ours(graph), "PyG": theirs(graph)}
    losses: dict[str, list[float]] = {name: [step()] for name, step in steps.items()}
    spent: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(options.rounds):
        for name, step in steps.items():
            spent[name].append(turn(step))
            losses[name].append(step())
            console.print(f"round {number + 1}/{options.rounds}  {name:<8} {spent[name][-1]:7.1f} ms a step")
    ratio = summary([b / a for a, b in zip(spent["anyview"], spent["PyG"])])
    learns = all(found[-1] < found[0] for found in losses.values())
    console.print(
        f"{ratio['median']:.2f} times as quick as PyG's example (needed: {TARGET:g}); losses "
        + ", ".join(f"{name} {found[0]:.3f} to {found[-1]:.3f}" for name, found in losses.items())
    )
    record = {
        **machine.about(start, here),
        "settings": {"width": WIDTH, "steps": STEPS, "rounds": options.rounds},
        "ratio": ratio,
        "target": TARGET,
        "holds": ratio["median"] >= TARGET and learns,
        "milliseconds": {name: [round(ms, 3) for ms in found] for name, found in spent.items()},
        "median": {name: statistics.median(found) for name, found in spent.items()},
        "losses": losses,
    }
    machine.keep(RESULT, record)
    return 0


def _options() -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="python -m benchmarks.graph", description=__doc__.partition("\n")[0])
    p.add_argument("--rounds", type=int, default=5, help="turns of each (default: 5)")
    options = p.parse_args()
    if options.rounds < 1:
        p.error("--rounds is at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
