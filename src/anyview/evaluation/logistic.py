"""Multinomial logistic regression, solved exactly, several problems of one size at a time."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import minimize
from torch import Tensor

LARGEST_ROTATION = 4096


@dataclass(frozen=True)
class Affine:
    """``batch`` linear classifiers."""

    weight: Float[Tensor, "batch features classes"]
    bias: Float[Tensor, "batch classes"]

    def __call__(self, x: Float[Tensor, "samples features"]) -> Int[Tensor, "batch samples"]:
        """Number of the highest-scoring class, by every classifier."""
        return torch.stack([(x @ w + b).argmax(1) for w, b in zip(self.weight, self.bias)])


class SoftmaxRegression:
    """Minimises ``mean cross-entropy + l2 / 2 ||W||²`` with a free bias, for each of ``batch`` problems.

    With more than two classes this is scikit-learn's ``LogisticRegression(C=1 / (l2 * samples))``; with two
    it stays a softmax over both. Found by L-BFGS with closed-form gradients. Features are turned onto their
    principal axes first, which leaves the penalty as it is and makes the Hessian nearly diagonal: scaled by
    its diagonal at equal probabilities, tens of iterations do where plain L-BFGS takes hundreds.
    Computed in float64: the line search needs differences of the loss that float32 does not resolve.

    Args:
        x: ``(batch, samples, features)``.
        label: ``(batch, samples)``, 0 to ``classes - 1``.
    """

    def __init__(
        self,
        x: Float[Tensor, "batch samples features"],
        label: Int[Tensor, "batch samples"],
        classes: int,
    ) -> None:
        x = x.double()
        self.mean = x.mean(1, keepdim=True)  # a shift changes only the free bias
        x = x - self.mean
        self.axes, variance = principal_axes(x)
        rotated = x if self.axes is None else x @ self.axes
        self.x = torch.cat([rotated, torch.ones_like(rotated[..., :1])], dim=2)  # last column: the bias
        self.curvature = torch.cat([variance, torch.ones_like(variance[..., :1])], dim=1)[..., None] / classes
        self.label, self.classes = label[..., None], classes
        self.solution = self.curvature.new_zeros(len(x), self.x.shape[2], classes)

    def fit(self, l2: float) -> Affine:
        """The minimum at this penalty; starts from the last one found."""
        penalty = torch.full_like(self.curvature, l2)
        penalty[:, -1] = 0
        scale = (self.curvature + penalty).rsqrt()
        shape, device = self.solution.shape, self.solution.device

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            w = torch.from_numpy(flat).to(device).view(shape) * scale
            log_p = (self.x @ w).log_softmax(2)
            loss = -log_p.gather(2, self.label).mean(1).sum() + (penalty * w * w).sum() / 2
            p = log_p.exp_()
            p.scatter_add_(2, self.label, p.new_full((1, 1, 1), -1.0).expand_as(self.label))
            slope = self.x.mT @ p / self.x.shape[1] + penalty * w
            return float(loss), (slope * scale).flatten().cpu().numpy()

        start = (self.solution / scale).flatten().cpu().numpy()
        found = minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-6},
        )
        self.solution = torch.from_numpy(found.x).to(device).view(shape) * scale
        weight, bias = self.solution[:, :-1], self.solution[:, -1]
        if self.axes is not None:
            weight = self.axes @ weight
        return Affine(weight.float(), (bias - (self.mean @ weight)[:, 0]).float())


def principal_axes(
    x: Float[Tensor, "batch samples features"],
) -> tuple[Float[Tensor, "batch features axes"] | None, Float[Tensor, "batch axes"]]:
    """Directions and variances of centred ``x``, from the smaller of its two Gram matrices.

    Directions without variance are left out of the fit when there are fewer samples than features. Returns
    (None, per-feature variances) when both sides are beyond ``LARGEST_ROTATION``.
    """
    _, samples, features = x.shape
    if min(samples, features) > LARGEST_ROTATION:
        return None, x.square().mean(1)
    if features <= samples:
        variance, axes = torch.linalg.eigh(x.mT @ x / samples)
        return axes, variance.clamp(min=0)
    variance, left = torch.linalg.eigh(x @ x.mT / samples)
    rounding = 1e-12 * variance[:, -1:].clamp(min=1e-30)
    inverse = torch.where(variance > rounding, variance * samples, torch.inf).rsqrt()
    return x.mT @ (left * inverse[:, None]), variance.clamp(min=0)
