"""The event modality: aggregates against a slow reference, words, and a whole run."""

import numpy as np
import pandas as pd
import pytest
import torch

from anyview.data import open as open_data
from anyview.modalities import modality
from anyview.training.model import Model
from anyview.training.plan import make_plan
from anyview.training.run import train


def log(users: int = 30, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), rng.integers(1, 12, users))
    n = len(user)
    return pd.DataFrame(
        {
            "user": user,
            "timestamp": 1_700_000_000 + np.arange(n) * 5000,
            "item": rng.choice(["tea", "milk", "bread"], n),
            "price": np.where(rng.random(n) < 0.2, np.nan, rng.random(n)),
            "label": user % 2,
        }
    )


def test_raw_features_are_counts_and_aggregates() -> None:
    d = open_data(log())
    x = d.train.fetch(torch.arange(30)).x
    features = modality("events").raw(d.train, d.spec)(x)
    assert features.shape == (30, 3 + 5 + 5)
    assert features.isfinite().all()
    gap = d.spec["time"]["gap"]
    for i in range(30):
        time, number = x["time"].unpack()[i], x["numeric"].unpack()[i][:, 0]
        codes, known = x["categorical"].unpack()[i][:, 0], number[~number.isnan()]
        n, span = len(time), float(time[-1] - time[0]) / gap
        expected = [np.log(n), np.log1p(span), np.log1p(span / n)]
        if len(known):
            expected += [known.mean(), known.std(correction=0), known.min(), known.max()]
        else:
            expected += [0.0] * 4
        expected += [1 - len(known) / n, *[(codes == c).float().mean() for c in range(5)]]
        expected = torch.tensor([float(v) for v in expected])
        torch.testing.assert_close(features[i], expected, atol=1e-4, rtol=1e-4)


def test_what_is_said_of_events() -> None:
    d = open_data(log())
    said = modality("events").describe(d.spec)
    assert said == "events by user with 1 numeric and 1 categorical fields"


@pytest.mark.parametrize("method", ["simclr", "mae"])
def test_a_run_on_a_frame_embeds_others_and_loads_again(method: str, tmp_path) -> None:
    plan = make_plan(method, log(), options={"epochs": 1, "health": False})
    model = train(plan, tmp_path)
    other = log(7, seed=1).assign(item="gold")
    vectors = model.embed(other)
    assert vectors.shape == (7, model.dim)
    assert np.isfinite(vectors).all()
    model.save(tmp_path / "kept")
    assert np.array_equal(Model.load(tmp_path / "kept").embed(other), vectors)
