"""Molecules: a column of SMILES in a table, or a list of SMILES."""

import pyarrow as pa
import torch
from torch import Tensor

from anyview.data.batch import Payload, Ragged
from anyview.data.graph.clean import pack
from anyview.data.graph.places import places
from anyview.data.labels import of_table
from anyview.data.molecule.chemistry import Molecule, atoms_and_bonds, fingerprints, read_all
from anyview.data.molecule.smiles import numbers, vocabulary
from anyview.data.parts import Found, Table
from anyview.data.readers.base import Reader, none_readable
from anyview.data.source import Dataset, MemorySource, Skipped, Source, Spec
from anyview.errors import InputError

WRITINGS = 8  #: random ways of writing each molecule that views choose from
COLUMNS = ("smiles", "canonical_smiles", "isomeric_smiles")


class MoleculeReader(Reader):
    modality = "molecule"
    wants = "molecules (a column called smiles)"

    def claim(self, found: Found) -> float:
        part = found.first
        return 0.97 if isinstance(part, Table) and smiles_column(part.schema) else 0.0

    def read(
        self, found: Found, *, label: str | None = None, size: int | None = None, like: Spec | None = None
    ) -> Dataset:
        """Every molecule as a graph, as SMILES written in several ways, and its fingerprint; held.

        What RDKit cannot read is left out and listed. Salts and mixtures stay whole, as graphs of several parts.
        """
        if size is not None:
            raise InputError("molecules have no size to choose; leave it out")
        parts = {name: part for name, part in found.splits.items() if isinstance(part, Table)}
        column = smiles_column(found.first.schema, asked=True) if isinstance(found.first, Table) else None
        if column is None or any(column not in part.schema.names for part in parts.values()):
            raise none_readable(found, "molecule", self.wants)
        label_of, names = of_table(found, label)
        skipped: list[Skipped] = []
        read: dict[str, tuple[list[Molecule], Tensor]] = {}
        for name, part in parts.items():
            texts = part.columns([column]).column(column).to_pylist()
            molecules, places_read, broken = read_all(texts, part.name, WRITINGS)
            skipped += broken
            if molecules:
                read[name] = molecules, torch.tensor(places_read)
        if not read:
            raise none_readable(found, "molecule", self.wants, skipped)
        train = read.get("train", next(iter(read.values())))[0]
        tokens = like["tokens"] if like is not None else vocabulary([t for m in train for t in m.smiles])
        spec: Spec = {"tokens": tokens, "writings": WRITINGS}
        sources: dict[str, Source] = {}
        for name, (molecules, rows) in read.items():
            given = label_of[name]
            of_rows = None if given is None else given[rows]
            sources[name] = MemorySource(
                "molecule", spec, payload(molecules, tokens), of_rows, names, skipped
            )
        return Dataset(found.name, "molecule", sources, skipped, _notes(read, tokens))


def smiles_column(schema: pa.Schema, asked: bool = False) -> str | None:
    """The column of SMILES by its name; when molecules are ``asked`` for, also the only column of text."""
    texts = [n for n in schema.names if pa.types.is_string(schema.field(n).type) or _large(schema, n)]
    named = next((n for n in texts if n.lower() in COLUMNS), None)
    return texts[0] if named is None and asked and len(texts) == 1 else named


def payload(molecules: list[Molecule], tokens: list[str]) -> Payload:
    """``graph``; ``smiles``, canonical; ``written``, the other writings end to end, and the ``lengths`` of each
    ``(molecules, writings)``; ``fingerprint``."""
    atoms, edge_index, labels, nodes = atoms_and_bonds(molecules)
    graphs = pack(atoms, edge_index, nodes, labels)
    written = numbers([text for m in molecules for text in m.smiles[1:]], tokens)
    lengths = written.length.view(len(molecules), -1)
    return {
        "graph": graphs.with_x(graphs.x, places(graphs)),
        "smiles": numbers([m.smiles[0] for m in molecules], tokens),
        "written": Ragged(written.values, lengths.sum(1)),
        "lengths": lengths,
        "fingerprint": fingerprints(molecules),
    }


def _large(schema: pa.Schema, name: str) -> bool:
    return pa.types.is_large_string(schema.field(name).type)


def _notes(read: dict[str, tuple[list[Molecule], Tensor]], tokens: list[str]) -> list[str]:
    sizes = sorted(len(m.atoms) for molecules, _ in read.values() for m in molecules)
    several = sum("." in m.smiles[0] for molecules, _ in read.values() for m in molecules)
    notes = [f"{sizes[0]:,} to {sizes[-1]:,} atoms (median {sizes[len(sizes) // 2]:,})"]
    notes.append(f"{len(tokens):,} SMILES tokens")
    return [*notes, f"{several:,} of several parts"] if several else notes
