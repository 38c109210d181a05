"""The table modality: raw features, words, and a whole run."""

import numpy as np
import pandas as pd
import pytest
import torch

from anyview.data import open as open_data
from anyview.modalities import modality
from anyview.training.model import Model
from anyview.training.plan import make_plan
from anyview.training.run import train


def people(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rich = rng.integers(0, 2, n)
    return pd.DataFrame(
        {
            "income": np.where(rng.random(n) < 0.1, np.nan, rich + rng.normal(0, 0.4, n)),
            "town": np.where(rng.random(n) < 0.2, None, np.where(rich, "hill", "vale")),
            "age": rng.integers(18, 80, n),
            "label": rich,
        }
    )


def test_raw_features_are_numbers_flags_and_one_hot_codes() -> None:
    d = open_data(people())
    raw = modality("table").raw(d.train, d.spec)
    x = d.train.fetch(torch.arange(200)).x
    features = raw(x)
    assert features.shape == (200, 2 + 2 + 4)
    assert features.isfinite().all()
    gone = x["numeric"].isnan()
    assert torch.equal(features[:, 2:4].bool(), gone)
    torch.testing.assert_close(features[:, :2][~gone], x["numeric"][~gone])
    assert torch.equal(features[:, 4:].argmax(1), x["categorical"][:, 0])


def test_what_is_said_of_a_table() -> None:
    d = open_data(people())
    assert modality("table").describe(d.spec) == "table of 3 columns (2 numeric, 1 categorical)"


@pytest.mark.parametrize("method", ["simclr", "mae"])
def test_a_run_on_a_frame_embeds_others_and_loads_again(method: str, tmp_path) -> None:
    plan = make_plan(method, people(), options={"epochs": 1, "health": False})
    model = train(plan, tmp_path)
    other = people(20, seed=1).assign(town="island")  # a town that train has not
    vectors = model.embed(other)
    assert vectors.shape == (20, model.dim)
    assert np.isfinite(vectors).all()
    model.save(tmp_path / "kept")
    assert np.array_equal(Model.load(tmp_path / "kept").embed(other), vectors)
