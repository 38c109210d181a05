"""Views of molecules: their graph changed as graphs are, their SMILES written in another way."""

from typing import Any

import torch
from torch import Tensor

from anyview.data.batch import Batch, Payload, Ragged
from anyview.errors import InputError
from anyview.views.base import Views
from anyview.views.graph import Augment


class MoleculeViews(Views):
    """Views of molecules, each with a changed ``graph`` and a ``smiles`` in some way of writing.

    An encoder reads the one or the other. ``meta`` keeps which ``writing`` was taken (0 is the canonical one), and
    how many ``atoms`` the graph has left.
    """

    def __init__(self, parts: list[tuple[Augment, int]], enumerate: bool) -> None:
        self.augments = [augment for augment, count in parts for _ in range(count)]
        self.count = len(self.augments)
        if self.count < 1:
            raise InputError("views of molecules need a count of at least 1")
        self.enumerate = enumerate

    @torch.no_grad()
    def __call__(self, batch: Batch) -> list[Batch]:
        return [self._view(batch, augment) for augment in self.augments]

    def _view(self, batch: Batch, augment: Augment) -> Batch:
        graph, _ = augment(batch.x["graph"], whole=False)
        writing = torch.zeros(len(batch), dtype=torch.int64, device=batch.index.device)
        if self.enumerate:
            count = batch.x["lengths"].shape[1] + 1
            writing = (torch.rand(len(batch), device=writing.device) * count).long().clamp_max(count - 1)
        view = {"graph": graph, "smiles": written(batch.x, writing)}
        return batch.with_x(view, writing=writing, atoms=graph.nodes)


def written(x: Payload, writing: Tensor) -> Ragged:
    """The SMILES of each molecule in the way of writing with this number; 0 is canonical."""
    if not bool(writing.any()):
        return x["smiles"]
    lengths = torch.cat([x["smiles"].length[:, None], x["lengths"]], 1)
    both = Ragged.cat([x["smiles"], x["written"]])
    inside = x["lengths"].cumsum(1) - x["lengths"]  # where each writing starts among its molecule's
    start = x["written"].starts[:, None] + len(x["smiles"].values) + inside
    starts = torch.cat([x["smiles"].starts[:, None], start], 1).gather(1, writing[:, None])[:, 0]
    length = lengths.gather(1, writing[:, None])[:, 0]
    within = torch.arange(int(length.sum()), device=length.device)
    within = within - (length.cumsum(0) - length).repeat_interleave(length)
    return Ragged(both.values[starts.repeat_interleave(length) + within], length)


def two_views(
    spec: dict[str, Any],
    *,
    edge_drop: float = 0.1,
    feature_mask: float = 0.2,
    subgraph: float = 0.8,
    enumerate: bool = True,
) -> MoleculeViews:
    """Two views of each molecule (GraphCL, arXiv:2010.13902, for its graph; SMILES enumeration, Bjerrum 2017,
    arXiv:1703.07076, for its SMILES).

    Args:
        spec: what the molecules are like.
        edge_drop: share of the bonds left out.
        feature_mask: share of the atoms whose kind is hidden.
        subgraph: share of the atoms in the region that is kept.
        enumerate: write the SMILES in a random way; otherwise it stays canonical.
    """
    return MoleculeViews([(Augment(edge_drop, feature_mask, subgraph), 2)], enumerate)


def multi_view(
    spec: dict[str, Any],
    *,
    count: int = 4,
    edge_drop: float = 0.1,
    feature_mask: float = 0.2,
    subgraph: float = 0.8,
    enumerate: bool = True,
) -> MoleculeViews:
    """Any number of views of one distribution.

    Args:
        spec: what the molecules are like.
        count: number of views.
        edge_drop: share of the bonds left out.
        feature_mask: share of the atoms whose kind is hidden.
        subgraph: share of the atoms in the region that is kept.
        enumerate: write the SMILES in a random way; otherwise it stays canonical.
    """
    return MoleculeViews([(Augment(edge_drop, feature_mask, subgraph), count)], enumerate)


def plain_view(spec: dict[str, Any], *, enumerate: bool = True) -> MoleculeViews:
    """One view with the graph as it is and the SMILES in some way of writing, for masked methods.

    Args:
        spec: what the molecules are like.
        enumerate: write the SMILES in a random way; otherwise it stays canonical.
    """
    return MoleculeViews([(Augment(), 1)], enumerate)
