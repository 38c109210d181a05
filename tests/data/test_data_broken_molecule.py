"""SMILES as they come: what each broken or unusual one becomes, beside two good ones."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from broken import Case, behaves, everything, given, saved

GOOD = ["CCO", "c1ccccc1"]
NO_SMILES = "is no SMILES that RDKit can read"


def listed(*smiles: object) -> pa.Table:
    return pa.table({"smiles": pa.array([*GOOD, *smiles], pa.string())})


def last(found) -> tuple[int, int]:
    """Atoms and bonds of the last molecule."""
    graphs = everything(found)["graph"]
    return int(graphs.nodes[-1]), int(graphs.edges[-1]) // 2


def left(what: str, smiles: object, says: str = NO_SMILES) -> Case:
    return Case(what, given(listed(smiles)), 2, 1, says)


def read(what: str, smiles: str, atoms: int, bonds: int, becomes: str = "") -> Case:
    return Case(
        what, given(listed(smiles)), 3, becomes=becomes, holds=lambda found: last(found) == (atoms, bonds)
    )


def alike(*smiles: str) -> Callable[..., bool]:
    """All that follow the good ones are the same molecule."""
    return lambda found: len({tuple(one.tolist()) for one in everything(found)["smiles"].unpack()[2:]}) == 1


CAGE = "C1" + "CC" * 60 + "1"
TABLE = [
    Case("an empty file", saved("", "m.csv"), says="cannot be read as a CSV file"),
    Case("a head and no row", saved("smiles,label\n", "m.csv"), says="holds no rows"),
    Case("a file that breaks off", saved("smiles,label\nCCO,1\nCC", "m.csv"), says="cannot be read as a CSV file"),
    Case("no column of SMILES", given(pa.table({"a": ["CCO", "C"], "b": ["x", "y"]})), says="as molecule"),
    Case("a column of numbers called smiles", given(pa.table({"smiles": [1, 2]})), says="as molecule"),
    Case("nothing but broken SMILES", given(pa.table({"smiles": ["X", "(("]})), says="none could be read as molecule"),
    Case("two columns called smiles", given(pa.Table.from_arrays([pa.array(GOOD)] * 2, ["smiles"] * 2)), says='two columns "smiles"'),
    left("null", None, "is empty"),
    left("an empty text", "", "is empty"),
    left("spaces", " \t ", "is empty"),
    left("a word", "hello"),
    left("an element that does not exist", "[Xx]"),
    left("a ring that does not close", "C1CCC"),
    left("a bracket that does not close", "CC(C"),
    left("an atom that does not close", "C[NH2"),
    left("a bond to nothing", "CC="),
    left("carbon with five bonds", "C(C)(C)(C)(C)C"),
    left("an aromatic ring that is none", "c1cccc1"),
    left("a reaction", "CCO>>CC=O"),
    left("InChI", "InChI=1S/CH4/h1H4"),
    left("a pattern", "[C,N]~*"),
    left("letters of another script", "СС О"),
    left("a text of 100,000 brackets", "(" * 100_000, "more than a molecule"),
    left("a chain of 100,000 atoms", "C" * 100_000, "more than a molecule"),
    read("a chain of 300 atoms", "C" * 300, 300, 299),
    read("a ring of 121 atoms", CAGE, 121, 121),
    read("spaces around it", "  CCO\t", 3, 2),
    read("a name behind it", "CCO ethanol", 3, 2, "without the name"),
    read("one atom", "C", 1, 0),
    read("hydrogen alone", "[H][H]", 2, 1),
    read("an atom without a name", "*CC", 3, 2),
    read("a salt", "[Na+].[Cl-]", 2, 0, "as one graph of two parts"),
    read("a mixture of four parts", "CCO.O.O.CC(=O)O", 9, 5, "as one graph of four parts"),
    read("isotopes", "[13CH4].[2H]O[2H]", 4, 2),
    read("charges", "[Fe+3].[O-2]", 2, 0),
    read("a charge of 9", "[U+9]", 1, 0, "as the largest there is"),
    read("the heaviest element", "[Og]", 1, 0),
    read("bonds in space", "F/C=C/F", 4, 3),
    read("a metal with many neighbours", "[Pt](Cl)(Cl)(N)N", 5, 4),
    Case("one molecule written in three ways", given(listed("OCC", "C(O)C", "[CH3][CH2][OH]")), 5, becomes="alike", holds=alike()),
    Case("a molecule that comes twice", given(listed("CCO", "CCO")), 4, becomes="both are kept", holds=alike()),
    Case("a label that is missing", given(listed("C").append_column("label", [[0, None, 1]])), 3, becomes="unknown",
         holds=lambda f: f.train.label.tolist() == [0, -1, 1]),
    Case("a label beside a broken one", given(listed("((", "C").append_column("label", [[0, 1, 0, 1]])), 3, 1, NO_SMILES,
         holds=lambda f: f.train.label.tolist() == [0, 1, 1]),
    Case("NaN and infinity among targets", given(listed("C").append_column("score", [[0.5, float("nan"), float("inf")]])), 3,
         becomes="without a target", holds=lambda f: f.train.label.isnan().tolist() == [False, True, True]),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_each_molecule_is_read_left_out_or_refused(case: Case, tmp_path: Path) -> None:
    behaves(case, tmp_path, "molecule")
