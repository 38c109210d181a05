"""The series modality keeps its promises to methods, evaluation and the report."""

import numpy as np
import pytest
import torch

import anyview.data as data
from anyview.data.batch import Ragged
from anyview.encoders import registry
from anyview.errors import InputError
from anyview.modalities import modality
from anyview.modalities.series import at_length, plotted
from anyview.training.plan import make_plan
from anyview.training.run import train

series = modality("series")


def waves(n: int = 24, seed: int = 0) -> list[tuple[np.ndarray, int]]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(20, 60, n)
    return [
        (
            np.sin((0.2 + 0.4 * (i % 2)) * np.arange(t) + rng.random())[None] + 0.1 * rng.normal(size=(1, t)),
            i % 2,
        )
        for i, t in enumerate(lengths)
    ]


def test_raw_features_are_the_series_on_its_usual_length() -> None:
    found = data.open(waves())
    x = found.train.fetch(torch.arange(6)).x
    raw = series.raw(found.train, found.spec)(x)
    assert raw.shape == (6, found.spec["length"])
    one = (x.unpack()[0][:, 0] - found.spec["mean"][0]) / found.spec["std"][0]
    assert raw[0].mean() == pytest.approx(float(one.mean()), abs=0.05)
    assert raw[0].std() == pytest.approx(float(one.std()), abs=0.1)


def test_a_series_of_the_length_asked_for_is_left_alone() -> None:
    x = torch.randn(3, 2, 17)
    assert at_length(x, 17) is x
    assert at_length(x, 34).shape == (3, 2, 34)


def test_words_for_a_sample() -> None:
    assert series.describe(data.open(np.random.rand(4, 3, 90)).spec) == "series of 3 channels x 90 steps"
    assert series.describe(data.open(waves(4)).spec).startswith("series of 1 channel x ")


def test_a_spec_from_a_broken_file_is_refused() -> None:
    spec = data.open(np.random.rand(4, 3, 90)).spec
    series.check(spec)
    for broken in ({"channels": 2}, {"mean": ["a", 0, 0]}, {"std": None}, {"length": "long"}):
        with pytest.raises((KeyError, TypeError, ValueError, RuntimeError, InputError)):
            series.check(spec | broken)


def test_pictures_are_curves() -> None:
    for x in (torch.sin(torch.arange(200.0))[None, None], Ragged.of([torch.randn(9, 5), torch.zeros(30, 5)])):
        shown = plotted(x)
        assert shown.shape == (len(x), 64, 128, 3)
        assert shown.dtype == torch.uint8
        inked = (shown != 255).any(3)
        assert inked.any(1).all()  # every column has ink
        assert inked.float().mean() < 0.9


@pytest.mark.parametrize("method", ["simclr", "mae"])
def test_a_model_embeds_new_series_of_other_lengths_as_it_was_trained(method: str, tmp_path) -> None:
    plan = make_plan(method, data.open(waves()), options={"epochs": 1, "batch_size": 12, "health": False})
    model = train(plan, tmp_path)
    again = [(3 * x + 1, y) for x, y in waves(5, seed=1)]
    found = data.open(again, like=model.spec)
    assert found.spec["mean"] == model.spec["mean"]
    vectors = model.embed_source(found.train, precision="fp32")
    alone = model.embed_source(data.open(again[2:3], like=model.spec).train, precision="fp32")
    assert torch.allclose(vectors[2], alone[0], atol=1e-5)
    assert series.default_encoder(model.spec, 24, plan.method.needs) in registry.names("series")
