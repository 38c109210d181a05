"""Graphs as they come: what each broken or unusual archive, object or pair of tables becomes."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from broken import Case, behaves, everything, given, saved

RING = np.array([[0, 1, 2, 3, 4], [1, 2, 3, 4, 0]])
X = np.arange(15, dtype=np.float32).reshape(5, 3)
ONE = {"x": X, "edge_index": RING, "y": np.array([0, 1, 0, 1, 0])}
#: three triangles
MANY = {
    "x": np.arange(18, dtype=np.float32).reshape(9, 2),
    "edge_index": np.array([[0, 1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 0, 4, 5, 3, 7, 8, 6]]),
    "graph_ptr": np.array([0, 3, 6, 9]),
    "y": np.array([0, 1, 0]),
}


def npz(arrays: dict[str, object], **changed: object) -> Callable[[Path], Path]:
    """An archive with some arrays changed; None takes one out."""

    def make(folder: Path) -> Path:
        kept = {name: value for name, value in (arrays | changed).items() if value is not None}
        np.savez(folder / "g.npz", **kept)
        return folder / "g.npz"

    return make


def spoilt_member(folder: Path) -> Path:
    """What NumPy gives as bytes, since it does not begin as an array."""
    path = npz(ONE)(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("node_label.npy", b"hello")
    return path


def cut(folder: Path) -> Path:
    path = npz(ONE)(folder)
    path.write_bytes(path.read_bytes()[:-100])
    return path


def tables(edges: str, nodes: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "edges.csv").write_text(edges)
        (folder / "nodes.csv").write_text(nodes)

    return make


def joined(graph: np.ndarray, *more: tuple[int, int]) -> np.ndarray:
    return np.concatenate([graph, np.array(more).T], 1)


def edges_of(found) -> set[tuple[int, int]]:
    x = everything(found)
    return set(map(tuple, (x.graph if hasattr(x, "graph") else x).edge_index.T.tolist()))


def a_ring(found) -> bool:
    return edges_of(found) == {(a, b) for a, b in RING.T.tolist()} | {(b, a) for a, b in RING.T.tolist()}


def one(what: str, says: str, **changed: object) -> Case:
    return Case(what, npz(ONE, **changed), says=says)


def kept(what: str, becomes: str = "", says: str = "", holds: Callable = a_ring, **changed: object) -> Case:
    return Case(what, npz(ONE, **changed), 5, says=says, becomes=becomes, holds=holds)


def left(what: str, says: str, **changed: object) -> Case:
    return Case(what, npz(MANY, **changed), 2, 1, says)


def spoiled(x: np.ndarray, row: int, value: float) -> np.ndarray:
    x = x.copy()
    x[row, 0] = value
    return x


def data(edges: object, **more: object) -> SimpleNamespace:
    """What looks like a ``Data`` of PyG."""
    return SimpleNamespace(edge_index=torch.as_tensor(edges), **more)


EDGES, NODES = "source,target\na,b\nb,c\n", "id,size,label\na,1.5,x\nb,2,y\nc,3,x\n"
TABLE = [
    Case("an empty file", saved(b"", "g.npz"), says="cannot be read as a NumPy file"),
    Case("zeros", saved(bytes(512), "g.npz"), says="cannot be read as a NumPy file"),
    Case("an archive cut at its end", cut, says="cannot be read as a NumPy file"),
    Case("an array in it that is none", spoilt_member, says="node_label is no array"),
    Case("Python objects", npz(ONE, y=np.array([{}] * 5, object)), says="never loaded from a file"),
    Case("an archive without edges", npz(ONE, edge_index=None, voxels=X), says="could be read as graph"),
    one("edges that are fractions", "not whole numbers", edge_index=RING + 0.5),
    one("edges that are words", "edge_index holds <U21; give numbers", edge_index=RING.astype(str)),
    one("edges of three columns", "not (2, edges)", edge_index=np.ones((3, 4), int)),
    one("edges in rows", "not (2, edges)", edge_index=RING.T),
    one("an edge to a node that does not exist", "to nodes that do not exist (first: 5 - 0", edge_index=joined(RING, (5, 0))),
    one("an edge to a node below 0", "to nodes that do not exist (first: -1 - 0", edge_index=joined(RING, (-1, 0))),
    one("unsigned edges beyond what there is", "to nodes that do not exist", edge_index=np.full((2, 3), 2**64 - 1, np.uint64)),
    one("NaN among the features", "the features of node 2 are not finite", x=spoiled(X, 2, np.nan)),
    one("infinity among the features", "the features of node 4 are not finite", x=spoiled(X, 4, -np.inf)),
    one("features of 1e300, too large for 32 bits", "are not finite", x=spoiled(X.astype(np.float64), 1, 1e300)),
    one("features of three axes", "features have shape (5, 3, 1)", x=X[:, :, None]),
    one("features that are words", "x holds <U32; give numbers", x=X.astype(str)),
    one("features of fewer nodes", "to nodes that do not exist", x=X[:3]),
    one("labels of fewer nodes", "give one label for each", y=np.array([0, 1])),
    one("labels of nodes of fewer nodes", "labels of 3", node_label=np.arange(3)),
    one("a mask of more nodes", "train_mask", train_mask=np.ones(9, bool)),
    one("no nodes", "it has no nodes", x=X[:0], edge_index=RING[:, :0], y=None),
    one("nothing but an empty list of edges", "it has no nodes", x=None, edge_index=RING[:, :0], y=None),
    kept("self-loops", "left out", "2 self-loops left out", edge_index=joined(RING, (1, 1), (3, 3))),
    kept("edges that come twice and both ways", "once each way", edge_index=joined(RING, (0, 1), (1, 0))),
    kept("isolated nodes", says="3 nodes without edges", edge_index=RING[:, :1], holds=lambda f: len(edges_of(f)) == 2),
    kept("no edges", says="5 nodes without edges", edge_index=RING[:, :0], holds=lambda f: not edges_of(f)),
    kept("8-bit edges", edge_index=RING.astype(np.uint8)),
    kept("edges alone", x=None, y=None),
    kept("features all the same", x=np.ones((5, 3), np.float32)),
    kept("features all 0", x=np.zeros((5, 3), np.float32)),
    kept("features of 1e30 beside small ones", x=spoiled(X, 1, 1e30)),
    kept("labels without a value", "unknown", y=np.full(5, -1)),
    kept("labels of nodes below 0 and beyond a million", "categories", node_label=np.array([-5, 10**9, 7, 7, 7])),
    kept("an empty mask", "the others", train_mask=np.arange(5) < 5, test_mask=np.zeros(5, bool)),
    left("an edge between two graphs", "has edges to nodes that do not exist", edge_index=joined(MANY["edge_index"], (0, 3))[:, 3:]),
    left("an edge to no graph", "has edges to nodes that do not exist", edge_index=joined(MANY["edge_index"], (0, 99))),
    left("a graph with NaN", "features that are not finite", x=spoiled(MANY["x"], 4, np.nan)),
    Case("a graph without nodes", npz(MANY, graph_ptr=np.array([0, 3, 3, 6, 9]), y=np.arange(4)), 3, 1, "has no nodes"),
    Case("a graph without edges", npz(MANY, edge_index=MANY["edge_index"][:, :6]), 3, says="1 graphs without edges"),
    Case("a graph of one node", npz(MANY, graph_ptr=np.array([0, 3, 6, 9, 10]), x=np.eye(10, 2, dtype=np.float32), y=None), 4),
    Case("bounds of graphs that fall", npz(MANY, graph_ptr=np.array([0, 6, 3, 9])), says="does not rise from 0"),
    Case("bounds of graphs beyond the nodes", npz(MANY, graph_ptr=np.array([0, 3, 6, 12])), says="features of another number"),
    Case("bounds of graphs that are fractions", npz(MANY, graph_ptr=np.array([0, 3.5, 9])), says="graph_ptr"),
    Case("labels of fewer graphs", npz(MANY, y=np.array([0, 1])), says="give one label for each"),
    Case("labels of fewer graphs, one of them empty", npz(MANY, graph_ptr=np.array([0, 3, 3, 6, 9])), says="give one label for each"),
    Case("folds of fewer graphs", npz(MANY, fold=np.array([0, 1])), says="folds of shape"),
    Case("graphs in a list, one of them broken", given([data(RING, x=torch.ones(5, 2)), data(RING, x=torch.ones(3, 2))]), 1, 1,
         "to nodes that do not exist"),
    Case("graphs in a list with other features", given([data(RING, x=torch.ones(5, 2)), data(RING, x=torch.ones(5, 3))]),
         says="different numbers of features"),
    Case("None among the graphs of a list", given([data(RING, x=torch.ones(5, 2)), None]), 1, 1, "is no graph"),
    Case("a node that is named twice", tables(EDGES, NODES + "a,4,y\n"), says="names 1 nodes twice"),
    Case("an edge to a node without a name", tables(EDGES + "a,d\n", NODES), says="to nodes that nodes.csv does not have"),
    Case("an edge with one end", tables(EDGES + "a,\n", NODES), says="to nodes that nodes.csv does not have"),
    Case("edges of one column", tables("source\na\n", NODES), says="no two columns"),
    Case("a node without a value", tables(EDGES, NODES.replace("2", "")), says="the features of node 1 are not finite"),
    Case("a column without a value", tables(EDGES, "id,size\na,\nb,\nc,\n"), 3, becomes="left out"),
    Case("names of nodes in every script", tables("s,t\nΩ,図\n", "id,size\nΩ,1.5\n図,2.5\n🙂,3\n"), 3, says="1 nodes without"),
    Case("names that are 1 in one table and 1.0 in the other", tables("s,t\n1.0,2.0\n", "id,size\n1,1.5\n2,2.5\n"), 2,
         becomes="the same", holds=lambda f: edges_of(f) == {(0, 1), (1, 0)}),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_each_graph_is_read_left_out_or_refused(case: Case, tmp_path: Path) -> None:
    behaves(case, tmp_path, "graph")
