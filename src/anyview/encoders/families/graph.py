"""Encoders of graphs: GCN, GraphSAGE and GIN in sizes, and torch_geometric's."""

from functools import partial
from typing import Any

from anyview.encoders.families import Builder, Input
from anyview.encoders.graph_net import GraphNet
from anyview.encoders.pyg_adapter import PyGEncoder

READS = ("graph", "molecule")
SIZES = {"s": 128, "m": 256, "l": 512}  #: width of a layer; half of it where layers are joined
#: two rounds are what node-level papers use; whole graphs are seen farther and by all layers
USUAL: dict[str, dict[str, Any]] = {
    "gcn": {"layers": 2, "readout": "mean", "join": False, "norm": "none"},
    "sage": {"layers": 2, "readout": "mean", "join": False, "norm": "none"},
    "gin": {"layers": 4, "readout": "mean", "join": True, "norm": "batch"},
}


def graph_net(
    input: Input,
    *,
    kind: str,
    width: int,
    layers: int,
    norm: str = "batch",
    readout: str = "mean",
    join: bool = False,
) -> GraphNet:
    """See ``GraphNet``."""
    return GraphNet(
        kind,
        input["size"],
        entries=input["entries"],
        edge_size=input.get("edge_size", 0),
        width=width,
        layers=layers,
        norm=norm,
        readout=readout,
        join=join,
    )


def pyg(input: Input, *, model: str, width: int = 128, layers: int = 2, readout: str = "mean") -> PyGEncoder:
    """See ``PyGEncoder``."""
    return PyGEncoder(model, input["size"], input["features"], width, layers, readout)


BUILDERS = {
    f"{kind}-{size}": Builder(
        partial(graph_net, kind=kind, width=width // (2 if USUAL[kind]["join"] else 1), **USUAL[kind]), READS
    )
    for kind in USUAL
    for size, width in SIZES.items()
}
ADAPTERS = {"pyg": Builder(pyg, READS)}
