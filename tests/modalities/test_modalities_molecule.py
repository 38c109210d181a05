import pandas as pd
import pytest
import torch

from anyview import api, data
from anyview.modalities import modality

pytest.importorskip("rdkit")


def test_from_table_to_figures(tmp_path) -> None:
    bodies = ["C" * k for k in range(1, 21)]
    table = pd.DataFrame(
        {"smiles": [b + end for b in bodies for end in ("O", "N")], "label": [0, 1] * len(bodies)}
    )
    table.to_csv(tmp_path / "m.csv", index=False)
    model = api.pretrain("simclr", tmp_path / "m.csv", out=tmp_path / "run", epochs=1, batch_size=16)
    assert model.embed(["CCO", "CCCN"]).shape == (2, model.dim)
    rows = api.evaluate(api.load(tmp_path / "run"), tmp_path / "m.csv", protocols=["linear"])
    assert {"pretrained", "untrained", "raw"} <= set(rows[0].figures)


def test_raw_features_are_fingerprints() -> None:
    opened, kind = data.open(["CCO", "CCN"], modality="molecule"), modality("molecule")
    raw = kind.raw(opened.train, opened.spec)(opened.train.fetch(torch.arange(2)).x)
    assert raw.shape == (2, 2048)
    assert set(raw.unique().tolist()) == {0.0, 1.0}
