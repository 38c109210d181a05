"""Molecules: read by a network of messages as graphs, by a transformer as SMILES."""

from typing import Any

from anyview.data.batch import Payload
from anyview.data.molecule.chemistry import ATOM, ATOM_SIZE, BOND_SIZE
from anyview.data.source import Source
from anyview.modalities.base import Modality, Raw, Spec
from anyview.views.molecule import multi_view, plain_view, two_views


class Molecule(Modality):
    name = "molecule"
    views = {"two_views": two_views, "multi_view": multi_view, "tokens": plain_view}
    cannot = {"multi_crop": "a small part of a molecule is another molecule"}
    protocols = ("auc", "linear", "knn")
    unit = "molecules"
    raw_name = "Morgan fingerprint"

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        """A transformer over SMILES for methods that hide tokens, else a GIN on the graph."""
        return "transformer-nano" if needs == "tokens" else "gin-s"

    def input(self, spec: Spec) -> dict[str, Any]:
        """Categories of atoms and bonds for networks of graphs, the vocabulary of SMILES for transformers."""
        return {
            "features": "categories",
            "size": ATOM_SIZE,
            "entries": len(ATOM),
            "edge_size": BOND_SIZE,
            "vocabulary": len(spec["tokens"]) + 1,
        }

    def inputs(self, x: Payload, spec: Spec) -> Payload:
        """The graph, and the canonical SMILES."""
        return {"graph": x["graph"], "smiles": x["smiles"]}

    def raw(self, train: Source, spec: Spec) -> Raw:
        return lambda x: x["fingerprint"].dense()

    def told(self, x: Payload, spec: Spec) -> dict[str, list[Any]]:
        tokens = ["?", *spec["tokens"]]
        return {"smiles": ["".join(tokens[i] for i in one.tolist()) for one in x["smiles"].unpack()]}

    def describe(self, spec: Spec) -> str:
        return f"molecules as graphs and as SMILES of {len(spec['tokens']):,} tokens"


MODALITY = Molecule()
