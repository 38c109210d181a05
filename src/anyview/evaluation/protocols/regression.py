"""Ridge regression: how well a linear layer predicts a number from the representation."""

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.evaluation.features import Aimed, Features, aimed, standardiser
from anyview.evaluation.metrics import r2, rmse
from anyview.evaluation.protocols.base import Case, Protocol, Rows
from anyview.evaluation.result import Figure

PENALTIES = (1e3, 1e2, 10.0, 1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
BLOCK = 4096  #: samples that are held in float64 at a time


class Ridge:
    """Linear regression with an L2 penalty, on features and targets standardised by train statistics.

    Minimises ``mean squared error + l2 ||w||²`` (scikit-learn's ``Ridge(alpha=l2 * samples)``) on train. The
    penalty is the one of ``PENALTIES`` with the least squared error on validation, the strongest of equals.
    Solved exactly in float64, over features or over samples, whichever are fewer.
    """

    def __init__(self, train: Aimed, validation: Aimed, seed: int = 0) -> None:
        self.standardise = standardiser(train.x)
        target = train.label.double()
        self.mean, self.spread = target.mean(), target.std(correction=0)
        z, y = self.standardise(train.x), (target - self.mean) / self.spread
        held, wanted = self.standardise(validation.x), validation.label.double()
        best = float("inf")
        for penalty, weight in zip(PENALTIES, ridge_path(z, y, PENALTIES)):
            error = float((self._at(held, weight) - wanted).square().mean())
            if error < best:
                best, self.penalty, self.weight = error, penalty, weight

    def __call__(self, x: Float[Tensor, "samples features"]) -> Float[Tensor, "samples"]:
        return self._at(self.standardise(x), self.weight)

    def _at(self, z: Tensor, weight: Tensor) -> Tensor:
        return self.mean + self.spread * torch.cat([part.double() @ weight for part in z.split(BLOCK)])


def ridge_path(
    x: Float[Tensor, "samples features"], y: Float[Tensor, "samples"], penalties: tuple[float, ...]
) -> list[Float[Tensor, "features"]]:
    """The weights that minimise ``mean (y - x w)² + l2 |w|²``, for each penalty. ``x`` and ``y`` are centred."""
    samples, features = x.shape
    if features <= samples:
        gram, right = x.new_zeros(features, features).double(), y.new_zeros(features)
        for part, aim in zip(x.split(BLOCK), y.split(BLOCK)):
            part = part.double()
            gram += part.T @ part / samples
            right += part.T @ aim / samples
    else:  # w = xᵀ a, (x xᵀ / n + l2) a = y / n
        rows = x.double()
        gram, right = rows @ rows.T / samples, y / samples
    eye = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    found = [
        torch.cholesky_solve(right[:, None], torch.linalg.cholesky(gram + l2 * eye))[:, 0] for l2 in penalties
    ]
    return found if features <= samples else [rows.T @ a for a in found]


class Regression(Protocol):
    """R² and RMSE of ridge regression on labels that are fractions."""

    name = "regression"

    def parts(self, name: str, features: Features) -> tuple[Aimed, Aimed, Aimed]:
        return aimed(name, features)

    def answer(self, case: Case) -> Tensor:
        return case.fitted(Ridge)(case.x)

    def measure(self, answer: Tensor, label: Tensor, seed: int) -> Rows:
        return {("regression", metric): figure for metric, figure in errors(answer, label, seed).items()}


def errors(answer: Tensor, target: Tensor, seed: int) -> dict[str, Figure]:
    """R² and RMSE of predictions, with their sampling error."""
    return {
        "r2": Figure.resampled(r2, answer, target, seed=seed),
        "rmse": Figure.resampled(rmse, answer, target, seed=seed),
    }


PROTOCOL = Regression()
