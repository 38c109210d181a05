import pytest
import torch

from anyview import data
from anyview.encoders import registry
from anyview.errors import InputError
from anyview.modalities import modality

pytest.importorskip("rdkit")

SMILES = ["CCO", "O=C(O)c1ccccc1OC(C)=O", "C", "CC(=O)O.[Na+]", "C" * 30]


@pytest.mark.parametrize("name", ["gin-s", "gcn-s", "transformer-nano"])
def test_a_molecule_alone_and_in_a_batch_agree(name: str, tmp_path) -> None:
    opened, kind = data.open(SMILES, modality="molecule"), modality("molecule")
    encoder = kind.encoder(name, opened.spec).eval()
    with torch.no_grad():
        parts = [kind.inputs(opened.train.fetch(torch.tensor([i])).x, opened.spec) for i in range(5)]
        whole = kind.inputs(opened.train.fetch(torch.arange(5)).x, opened.spec)
        together, alone = encoder(whole), torch.cat([encoder(p) for p in parts])
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
        registry.save(encoder, tmp_path)
        assert torch.equal(registry.load(tmp_path)[0](whole), together)


def test_targets_are_the_tokens() -> None:
    opened, kind = data.open(SMILES, modality="molecule"), modality("molecule")
    x = kind.inputs(opened.train.fetch(torch.arange(5)).x, opened.spec)
    tokenizer = kind.encoder("transformer-nano", opened.spec).tokenizer
    coords, valid = tokenizer.layout(x)
    targets = tokenizer.targets(x)
    assert torch.equal(targets.values[valid], x["smiles"].values)
    assert targets.size == len(opened.spec["tokens"]) + 1
    assert valid.sum(1).tolist() == x["smiles"].length.tolist()
    assert coords[0, :3, 0].tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="patch"):
        kind.encoder("transformer-nano", opened.spec, patch=2)
