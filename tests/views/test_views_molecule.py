import inspect

import pytest
import torch

from anyview import data
from anyview.data.batch import payload_cat, payload_shape
from anyview.data.source import Source
from anyview.views import molecule as views

Chem = pytest.importorskip("rdkit.Chem")

SMILES = ["CCO", "c1ccccc1Cl", "CC(=O)O.[Na+]", "C[C@H](N)C(=O)O", "O=C(O)c1ccccc1OC(C)=O"] * 8


def opened() -> Source:
    return data.open(SMILES, modality="molecule").train


def texts(x, tokens) -> list[str]:
    return ["".join(tokens[t - 1] for t in row) for row in x.unpack()]


def test_each_writing_is_found_in_the_pack() -> None:
    source = opened()
    batch = source.fetch(torch.arange(len(SMILES)).flip(0))
    writing = torch.arange(len(SMILES)) % 9
    parts = [batch.x["written"].unpack(), batch.x["lengths"]]
    found = views.written(batch.x, writing).unpack()
    for i, w in enumerate(writing.tolist()):
        wanted = batch.x["smiles"].unpack()[i] if w == 0 else parts[0][i].split(parts[1][i].tolist())[w - 1]
        assert torch.equal(found[i], wanted)


def test_views_are_the_same_molecules_in_other_writings() -> None:
    source = opened()
    batch = source.fetch(torch.arange(len(SMILES)))
    first, second = views.two_views(source.spec)(batch)
    one, two = (texts(v.x["smiles"], source.spec["tokens"]) for v in (first, second))
    assert [Chem.CanonSmiles(s) for s in one] == [Chem.CanonSmiles(s) for s in SMILES]
    assert sum(a != b for a, b in zip(one, two)) > len(SMILES) / 2
    assert first.meta["writing"].unique().numel() > 4
    assert (first.x["graph"].nodes == (0.8 * batch.x["graph"].nodes).ceil().long()).all()
    assert payload_shape(first.x) == payload_shape(second.x)
    assert set(first.x) == {"graph", "smiles"}
    assert len(payload_cat([first.x, second.x])["smiles"]) == 2 * len(SMILES)


def test_without_enumeration_smiles_are_canonical() -> None:
    source = opened()
    batch = source.fetch(torch.arange(10))
    (view,) = views.plain_view(source.spec, enumerate=False)(batch)
    assert torch.equal(view.x["smiles"].values, batch.x["smiles"].values)
    assert torch.equal(view.x["graph"].x, batch.x["graph"].x)


def test_every_option_is_described() -> None:
    for factory in (views.two_views, views.multi_view, views.plain_view):
        for name in inspect.signature(factory).parameters:
            assert f"{name}:" in factory.__doc__
