"""The forecasting probe: exact where it must be, beside the last value and the raw window."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

import anyview.data as data
from anyview.errors import InputError
from anyview.evaluation.forecast import MultiRidge, forecast
from anyview.evaluation.metrics import metric
from anyview.training.plan import make_plan
from anyview.training.run import train


def test_the_ridge_is_scikit_learns() -> None:
    x, y = torch.randn(80, 6), torch.randn(80, 3)
    held = torch.randn(40, 6), torch.randn(40, 3)
    probe = MultiRidge((x, y), held)
    z = ((x - x.mean(0)) / x.std(0, correction=0)).numpy()
    wanted = Ridge(alpha=probe.penalty * len(x)).fit(z, y.numpy())
    at = ((held[0] - x.mean(0)) / x.std(0, correction=0)).numpy()
    np.testing.assert_allclose(probe(held[0]).numpy(), wanted.predict(at), atol=1e-5)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Trained on windows of two waves, whose next steps a linear layer can tell from the last ones."""
    time = np.arange(900)
    waves = np.stack([np.sin(0.3 * time), np.cos(0.11 * time) + 5]) + 0.02 * np.random.default_rng(0).normal(
        size=(2, 900)
    )
    windows = np.lib.stride_tricks.sliding_window_view(waves, 40, axis=1)[:, ::6].transpose(1, 0, 2)
    splits = data.open(
        {"train": windows[:90], "validation": windows[90:110], "test": windows[110:]}, modality="series"
    )
    plan = make_plan("simclr", splits, options={"epochs": 1, "health": False, "precision": "fp32"})
    return train(plan, tmp_path_factory.mktemp("run")), splits.splits


def test_raw_windows_forecast_waves_and_the_last_value_does_not(model) -> None:
    fitted, splits = model
    mse, mae = forecast(fitted, splits["train"], splits["validation"], splits["test"], horizon=8)
    assert (mse.protocol, mse.metric, mae.metric) == ("forecast-8", "mse", "mae")
    assert list(mse.figures) == ["pretrained", "untrained", "raw", "last"]
    assert mse.figures["raw"].mean < 0.05 * mse.figures["last"].mean
    assert mse.figures["pretrained"].mean < mse.figures["last"].mean
    assert not metric("mse").higher


def test_the_last_value_is_judged_on_the_scale_of_training(model) -> None:
    fitted, splits = model
    x = splits["test"].fetch(torch.arange(len(splits["test"]))).x
    std = torch.tensor(fitted.spec["std"])[:, None]
    wanted = ((x[..., -4:] - x[..., -5:-4]) / std).abs().mean()
    _, mae = forecast(fitted, splits["train"], splits["validation"], splits["test"], horizon=4)
    assert mae.figures["last"].mean == pytest.approx(float(wanted), rel=1e-4)


def test_a_horizon_as_long_as_the_window_is_an_error(model) -> None:
    fitted, splits = model
    for horizon in (0, 40):
        with pytest.raises(InputError, match="take a horizon from 1 to 39"):
            forecast(fitted, splits["train"], splits["validation"], splits["test"], horizon=horizon)
    loose = data.open([np.random.rand(2, n) for n in (50, 60)], like=fitted.spec).train
    with pytest.raises(InputError, match="windows of one length"):
        forecast(fitted, loose, loose, loose)
