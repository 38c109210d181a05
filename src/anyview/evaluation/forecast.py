"""Forecasting by a linear probe: the next steps of a series, read off the embedding of what came before."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.data.loader import batches
from anyview.data.source import Source
from anyview.errors import InputError
from anyview.evaluation.features import standardiser
from anyview.evaluation.result import Figure, Result
from anyview.training.model import Model

PENALTIES = (1e2, 10.0, 1.0, 1e-1, 1e-2, 1e-3, 1e-4)

Features = Float[Tensor, "_ features"]
Future = Float[Tensor, "_ values"]


class MultiRidge:
    """Ridge regression of many values at once, on standardised features.

    Minimises ``mean (Y - X W)² + l2 |W|²`` on train; the penalty has the least squared error on validation,
    all values together, the strongest of equals.
    """

    def __init__(self, train: tuple[Features, Future], validation: tuple[Features, Future]) -> None:
        self.standardise = standardiser(train[0])
        x, y = self.standardise(train[0]).double(), train[1].double()
        self.mean = y.mean(0)
        values, vectors = torch.linalg.eigh(x.T @ x / len(x))
        turned = vectors.T @ (x.T @ (y - self.mean)) / len(x)
        best = torch.inf
        for penalty in PENALTIES:
            weight = vectors @ (turned / (values.clamp_min(0) + penalty)[:, None])
            error = float((self._at(validation[0], weight) - validation[1]).square().mean())
            if error < best:
                best, self.penalty, self.weight = error, penalty, weight

    def __call__(self, x: Features) -> Future:
        return self._at(x, self.weight)

    def _at(self, x: Features, weight: Tensor) -> Tensor:
        return self.mean + self.standardise(x).double() @ weight


def forecast(
    model: Model, train: Source, validation: Source, test: Source, *, horizon: int = 24, seed: int = 0
) -> list[Result]:
    """Forecasts the last ``horizon`` steps of every window, in all channels, from those before.

    The probe predicts the difference from the last known value, for every representation alike (as NLinear does,
    arXiv:2205.13504, section 4). Errors are on the scale of the model's training data: each channel has
    deviation 1 there.

    Args:
        model: pretrained on series.
        train: windows of one length to fit on.
        validation: to choose the penalty on.
        test: read once.
        horizon: steps to forecast.
        seed: of the untrained encoder.

    Returns:
        Mean squared and mean absolute error of ``pretrained``, ``untrained``, ``raw`` (a linear layer on the
        known steps themselves) and ``last`` (the last known value, repeated).

    Raises:
        InputError: when windows differ in length, or are not longer than the horizon.
    """
    splits = [_cut(model, source, horizon) for source in (train, validation, test)]
    aims = [future for _, future in splits]
    networks: dict[str, Callable[[Tensor], Tensor]] = {
        "pretrained": model.encoder.cpu().eval(),
        "untrained": model.untrained(train, seed).encoder.cpu().eval(),
        "raw": lambda known: known.flatten(1),
    }
    errors = {"last": aims[2]}
    for name, network in networks.items():
        with torch.no_grad():
            x = [torch.cat([network(part).float() for part in known.split(256)]) for known, _ in splits]
        errors[name] = MultiRidge((x[0], aims[0]), (x[1], aims[1]))(x[2]) - aims[2]
    order = [*networks, "last"]
    measures = {"mse": torch.square, "mae": torch.abs}
    return [
        Result(f"forecast-{horizon}", metric, "test", {n: _spread(f(errors[n]).mean(1)) for n in order})
        for metric, f in measures.items()
    ]


def _cut(model: Model, source: Source, horizon: int) -> tuple[Tensor, Future]:
    """Known steps ``(windows, channels, time)`` and, relative to the last of them, those to forecast."""
    parts = [model.modality.inputs(batch.x, model.spec) for batch in batches(source, 1024)]
    if not all(isinstance(part, Tensor) and part.ndim == 3 for part in parts):
        raise InputError("forecasting needs windows of one length; open the series with a size")
    x = torch.cat(parts)
    if not 0 < horizon < x.shape[2]:
        raise InputError(
            f"windows of {x.shape[2]:,} steps cannot be cut before the last {horizon:,}; take a horizon from 1 to "
            f"{x.shape[2] - 1:,}"
        )
    known, future = x[..., :-horizon], x[..., -horizon:]
    return known, (future - known[..., -1:]).flatten(1)


def _spread(error: Float[Tensor, "windows"]) -> Figure:
    """The mean with its standard error, as if windows were independent; those that overlap are not quite."""
    return Figure(float(error.mean()), float(error.std() / len(error) ** 0.5), len(error))
