"""All that RDKit is asked, once, when molecules are opened: atoms, bonds, ways of writing, fingerprints."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from anyview.data.graph.packed import SparseRows
from anyview.data.source import Skipped, UnreadableError
from anyview.errors import InputError

#: columns of an atom's categories, and how many values each has; the last value stands for all beyond
ATOM = {
    "element": 119,
    "neighbours": 7,
    "charge": 7,
    "chirality": 4,
    "hydrogens": 5,
    "hybridisation": 8,
    "aromatic": 2,
    "in a ring": 2,
}
BOND = {"order": 5, "conjugated": 2, "in a ring": 2}
ATOM_SIZE, BOND_SIZE = 1 + sum(ATOM.values()), sum(BOND.values())  #: 0 is a hidden atom
FINGERPRINT = 2048  #: bits of a Morgan fingerprint
RADIUS = 2
MAX_LENGTH = (
    3000  #: characters of a SMILES; RDKit needs minutes for 10,000 atoms in a chain, and crashes at 20,000
)


class Molecule(NamedTuple):
    """One molecule, read.

    Attributes:
        atoms: the values of ``ATOM`` for each.
        bonds: ``(begin, end, values of BOND)`` of each.
        smiles: its canonical SMILES, then other ways of writing it.
        bits: of its Morgan fingerprint, those that are set.
    """

    atoms: list[list[int]]
    bonds: list[tuple[int, int, list[int]]]
    smiles: list[str]
    bits: list[int]


def chemist(writings: int) -> Callable[[str], Molecule]:
    """What reads a SMILES, with so many random ways of writing it; it raises UnreadableError.

    Raises:
        InputError: when RDKit is not installed.
    """
    try:
        from rdkit import Chem, rdBase
        from rdkit.Chem import rdFingerprintGenerator
    except ImportError as error:
        raise InputError(
            'reading molecules needs rdkit; install it with: pip install "anyview[molecule]"'
        ) from error
    morgan = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=FINGERPRINT)
    orders = {
        Chem.BondType.SINGLE: 0,
        Chem.BondType.DOUBLE: 1,
        Chem.BondType.TRIPLE: 2,
        Chem.BondType.AROMATIC: 3,
    }

    def read(smiles: str) -> Molecule:
        if len(smiles) > MAX_LENGTH:
            raise UnreadableError(f"has {len(smiles):,} characters, more than a molecule is read with")
        with rdBase.BlockLogs():
            molecule = Chem.MolFromSmiles(smiles)
        if molecule is None:
            raise UnreadableError("is no SMILES that RDKit can read")
        if molecule.GetNumAtoms() == 0:
            raise UnreadableError("has no atoms")
        written = Chem.MolToRandomSmilesVect(molecule, writings, randomSeed=1) if writings else []
        return Molecule(
            [_atom(atom) for atom in molecule.GetAtoms()],
            [_bond(bond, orders.get(bond.GetBondType(), 4)) for bond in molecule.GetBonds()],
            [Chem.MolToSmiles(molecule), *written],
            list(morgan.GetFingerprint(molecule).GetOnBits()),
        )

    return read


def read_all(smiles: list[Any], where: str, writings: int) -> tuple[list[Molecule], list[int], list[Skipped]]:
    """Molecules that can be read, their rows, and the rows that were left out."""
    read = chemist(writings)
    molecules, rows, skipped = [], [], []
    for row, text in enumerate(smiles):
        try:
            if not isinstance(text, str) or not text.strip():
                raise UnreadableError("is empty")
            molecules.append(read(text.strip()))
            rows.append(row)
        except UnreadableError as error:
            skipped.append(Skipped(f"{where}, row {row + 1:,}: {(text or '')[:200]}", str(error)))
    return molecules, rows, skipped


def fingerprints(molecules: list[Molecule]) -> SparseRows:
    """Morgan fingerprints (Rogers & Hahn 2010) of radius ``RADIUS``, as 0 and 1."""
    column = torch.tensor([bit for m in molecules for bit in m.bits], dtype=torch.int64)
    length = torch.tensor([len(m.bits) for m in molecules])
    return SparseRows(column, torch.ones(len(column)), length, FINGERPRINT)


def atoms_and_bonds(molecules: list[Molecule]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Categories of all atoms, their bonds and the bonds' categories, and the atoms of each molecule."""
    nodes = torch.tensor([len(m.atoms) for m in molecules])
    atoms = _numbered([atom for m in molecules for atom in m.atoms], ATOM, 1)
    starts = (nodes.cumsum(0) - nodes).tolist()
    ends = [(start + a, start + b) for m, start in zip(molecules, starts) for a, b, _ in m.bonds]
    labels = _numbered([label for m in molecules for _, _, label in m.bonds], BOND, 0)
    edge_index = torch.tensor(ends, dtype=torch.int64).view(-1, 2).T.contiguous()
    return atoms, edge_index, labels, nodes


def _atom(atom: Any) -> list[int]:
    return [
        atom.GetAtomicNum(),
        atom.GetTotalDegree(),
        max(0, atom.GetFormalCharge() + 3),
        int(atom.GetChiralTag()),
        atom.GetTotalNumHs(),
        int(atom.GetHybridization()),
        atom.GetIsAromatic(),
        atom.IsInRing(),
    ]


def _bond(bond: Any, order: int) -> tuple[int, int, list[int]]:
    return bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), [order, bond.GetIsConjugated(), bond.IsInRing()]


def _numbered(rows: list[list[int]], columns: dict[str, int], first: int) -> Tensor:
    """Values of all columns in one numbering from ``first``; those beyond a column's size are its last."""
    sizes = torch.tensor(list(columns.values()))
    values = torch.tensor(rows, dtype=torch.int64).view(-1, len(columns))
    return torch.minimum(values, sizes - 1) + first + sizes.cumsum(0) - sizes
