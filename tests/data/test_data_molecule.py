import pandas as pd
import pytest
import torch

from anyview import data
from anyview.data.molecule.chemistry import ATOM, ATOM_SIZE, BOND_SIZE, FINGERPRINT
from anyview.data.molecule.smiles import TOKEN, numbers, vocabulary
from anyview.errors import InputError

Chem = pytest.importorskip("rdkit.Chem")

SMILES = ["CCO", "c1ccccc1Cl", "CC(=O)O.[Na+]", "C", "C[C@H](N)C(=O)O", "O=C(O)c1ccccc1OC(C)=O"]


def frame(smiles=SMILES, **columns) -> pd.DataFrame:
    return pd.DataFrame({"smiles": smiles, **columns})


def test_atoms_and_bonds_are_rdkits() -> None:
    opened = data.open(frame())
    assert opened.modality == "molecule"
    graphs = opened.train.fetch(torch.arange(len(SMILES))).x["graph"]
    for i, text in enumerate(SMILES):
        molecule, graph = Chem.MolFromSmiles(text), graphs[i : i + 1]
        assert graph.count == molecule.GetNumAtoms()
        assert graph.edge_index.shape[1] == 2 * molecule.GetNumBonds()
        assert (graph.x[:, 0] - 1).tolist() == [a.GetAtomicNum() for a in molecule.GetAtoms()]
        for (a, b), label in zip(graph.edge_index.T.tolist(), graph.edge_label.tolist()):
            bond = molecule.GetBondBetweenAtoms(a, b)
            order = {1.0: 0, 2.0: 1, 3.0: 2, 1.5: 3}[bond.GetBondTypeAsDouble()]
            assert label == [order, 5 + bond.GetIsConjugated(), 7 + bond.IsInRing()]
    assert graphs.x.shape[1] == len(ATOM)
    assert int(graphs.x.max()) < ATOM_SIZE
    assert int(graphs.edge_label.max()) < BOND_SIZE


def test_columns_of_an_atom_have_numbers_of_their_own() -> None:
    x = data.open(frame()).train.fetch(torch.arange(len(SMILES))).x["graph"].x
    starts = 1 + torch.tensor([0, *ATOM.values()]).cumsum(0)
    assert (x >= starts[:-1]).all()
    assert (x < starts[1:]).all()


def test_every_writing_is_the_same_molecule() -> None:
    opened = data.open(frame())
    tokens = ["?", *opened.spec["tokens"]]
    x = opened.train.fetch(torch.arange(len(SMILES))).x
    assert x["lengths"].shape == (len(SMILES), opened.spec["writings"])
    seen = set()
    for i, text in enumerate(SMILES):
        canonical = Chem.CanonSmiles(text)
        assert "".join(tokens[t] for t in x["smiles"].unpack()[i]) == canonical
        for part in x["written"].unpack()[i].split(x["lengths"][i].tolist()):
            written = "".join(tokens[t] for t in part)
            seen.add(written)
            assert Chem.CanonSmiles(written) == canonical
    assert len(seen) > 2 * len(SMILES)


def test_fingerprints_are_morgans() -> None:
    from rdkit.Chem import rdFingerprintGenerator

    held = data.open(frame()).train.fetch(torch.arange(len(SMILES))).x["fingerprint"].dense()
    make = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=FINGERPRINT)
    for row, text in zip(held, SMILES):
        assert row.tolist() == list(make.GetFingerprint(Chem.MolFromSmiles(text)))


def test_tokens_are_atoms_and_brackets() -> None:
    assert TOKEN.findall("Clc1c[nH]c2cc(Br)ccc%12[C@@H]=#") == [
        "Cl", "c", "1", "c", "[nH]", "c", "2", "c", "c", "(", "Br", ")", "c", "c", "c", "%12", "[C@@H]", "=", "#",
    ]  # fmt: skip
    tokens = vocabulary(["CCO", "CN"])
    assert tokens == ["C", "N", "O"]
    assert [row.tolist() for row in numbers(["NO", "", "CF"], tokens).unpack()] == [[2, 3], [], [1, 0]]


def test_what_cannot_be_read_is_listed_and_left_out() -> None:
    bad = ["C1CC", "hello", None, "", "c1ccccc1C(F)(F)(F)(F)F"]
    opened = data.open(frame(["CCO", *bad, "CC"], label=[0, 1, 1, 1, 1, 1, 0]))
    assert len(opened.train) == 2
    assert opened.train.label.tolist() == [0, 0]
    assert len(opened.skipped) == len(bad)
    assert "row 2: C1CC" in opened.skipped[0].path
    assert "RDKit" in opened.skipped[0].reason
    assert opened.skipped[2].reason == "is empty"
    with pytest.raises(InputError, match="none could be read as molecule"):
        data.open(frame(["C1CC", "hello"]))


def test_molecules_of_several_parts_are_kept() -> None:
    opened = data.open(frame())
    assert any("1 of several parts" in note for note in opened.notes)


def test_a_list_when_asked_and_a_column_of_text() -> None:
    assert len(data.open(SMILES, modality="molecule").train) == len(SMILES)
    with pytest.raises(InputError, match="no column that could be read as molecule"):
        data.open(pd.DataFrame({"a": ["C", "N"], "b": ["O", "C"]}), modality="molecule")


def test_like_has_the_same_tokens() -> None:
    first = data.open(frame())
    again = data.open(frame(["CCO", "FI"]), like=first.spec)
    assert again.spec["tokens"] == first.spec["tokens"]
    x = again.train.fetch(torch.tensor([0, 1])).x["smiles"].unpack()
    assert x[0].tolist() == first.train.fetch(torch.tensor([0])).x["smiles"].values.tolist()
    assert x[1].tolist() == [0, 0]  # not seen before


def test_scaffold_splits_and_targets_of_a_regression(shared_data) -> None:
    esol = data.open(f"{shared_data}/mol_esol")
    assert list(esol.splits) == ["train", "validation", "test"]
    assert esol.train.label.is_floating_point()
    assert esol.modality == "molecule"
