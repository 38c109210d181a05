"""Multinomial logistic regression, solved exactly, several problems of one size at a time."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController
from torch import Tensor

from anyview.products import quick_products

LARGEST_ROTATION = 4096  #: features whose covariance is taken apart; beyond it only their variances are used
ENOUGH = 4  #: samples a feature from which their covariance is taken
SMALL = 2**20  #: numbers that are computed with in float64; more are held in float32
BLOCK = 2**20  #: numbers of which both products are taken while they lie in the cache


@dataclass(frozen=True)
class Affine:
    """``batch`` linear classifiers."""

    weight: Float[Tensor, "batch features classes"]
    bias: Float[Tensor, "batch classes"]

    def scores(self, x: Float[Tensor, "samples features"]) -> Float[Tensor, "batch samples classes"]:
        """Logits, by every classifier."""
        return torch.stack([x @ w + b for w, b in zip(self.weight, self.bias)])

    def __call__(self, x: Float[Tensor, "samples features"]) -> Int[Tensor, "batch samples"]:
        """Number of the highest-scoring class, by every classifier."""
        return torch.stack([(x @ w + b).argmax(1) for w, b in zip(self.weight, self.bias)])


class SoftmaxRegression:
    """Minimises ``mean cross-entropy + l2 / 2 ||W||²`` with a free bias, for each of ``batch`` problems.

    With more than two classes this is scikit-learn's ``LogisticRegression(C=1 / (l2 * samples))``; with two
    it stays a softmax over both. Found by L-BFGS with closed-form gradients, in coordinates where the Hessian
    at equal probabilities, ``covariance / classes + l2``, is the identity: tens of iterations do where plain
    L-BFGS takes hundreds. With fewer samples than features the samples span all that can be learned, and the
    fit is done on their coordinates.

    A small problem is computed in float64. A large one is held in float32 and gone through once a step, a
    block of samples at a time. Sums over samples are taken in float64: the line search needs differences of the
    loss that a sum in float32 does not resolve.

    Args:
        x: ``(batch, samples, features)``.
        label: ``(batch, samples)``, 0 to ``classes - 1``.
    """

    @quick_products()
    def __init__(
        self,
        x: Float[Tensor, "batch samples features"],
        label: Int[Tensor, "batch samples"],
        classes: int,
    ) -> None:
        x = x.double() if x.numel() <= SMALL else x.float()
        self.mean = x.mean(1, keepdim=True)  # a shift changes only the free bias
        self.x, self.axes = x - self.mean, None
        if x.shape[1] <= min(x.shape[2], LARGEST_ROTATION):
            self.x, self.axes = sample_coordinates(self.x)
        self.label, self.classes = label[:, None], classes
        self.curvature = _covariance(self.x) / classes
        batch, _, features = self.x.shape
        self.solution = self.curvature.new_zeros(batch, features + 1, classes)  # last row: the bias

    @quick_products()
    def fit(self, l2: float, tolerance: float = 1e-12) -> Affine:
        """The minimum at this penalty; starts from the last one found.

        Args:
            tolerance: ends when a step lowers the loss by less than this share of it.
        """
        scale = _Scale(self.curvature, l2, self.classes)
        shape, device = self.solution.shape, self.solution.device

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            w = scale(torch.from_numpy(flat).to(device).view(shape))
            loss, slope = self._entropy(w)
            slope[:, :-1] += l2 * w[:, :-1]
            loss += l2 / 2 * float(w[:, :-1].square().sum())
            return loss, scale.transposed(slope).flatten().cpu().numpy()

        start = scale.inverse(self.solution).flatten().cpu().numpy()
        options = {"maxiter": 500, "ftol": tolerance, "gtol": 1e-6}
        # threads of SciPy's BLAS would go on turning on the cores that torch's need for the next pass
        with _threads().limit(limits=1, user_api="blas"):
            found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
        self.solution = scale(torch.from_numpy(found.x).to(device).view(shape))
        weight, bias = self.solution[:, :-1], self.solution[:, -1]
        if self.axes is not None:
            weight = self.axes.double() @ weight
        return Affine(weight.float(), (bias - (self.mean.double() @ weight)[:, 0]).float())

    def _entropy(self, w: Float[Tensor, "batch rows classes"]) -> tuple[float, Tensor]:
        """Mean cross-entropy, summed over the problems, and its slope."""
        samples, features = self.x.shape[1:]
        weight, bias = w[:, :-1].mT.to(self.x.dtype).contiguous(), w[:, -1, :, None].to(self.x.dtype)
        loss, slope = 0.0, torch.zeros_like(w)
        rows = max(1, BLOCK // (len(w) * features))
        # classes before samples: products of a flat matrix with a tall one are several times faster so
        for x, label in zip(self.x.split(rows, 1), self.label.split(rows, 2)):
            log_p = _matrices(weight, x.mT).add_(bias).log_softmax(1)
            loss -= float(log_p.gather(1, label).sum(dtype=torch.float64))
            p = log_p.exp_()
            p.scatter_add_(1, label, p.new_full((1, 1, 1), -1.0).expand_as(label))
            slope[:, :-1] += _matrices(p, x).mT
            slope[:, -1] += p.sum(2, dtype=torch.float64)
        return loss / samples, slope / samples


def _matrices(a: Float[Tensor, "batch n k"], b: Float[Tensor, "batch k m"]) -> Float[Tensor, "batch n m"]:
    """The product of each two matrices; of large ones, held in float32, one after another, each on all cores."""
    return a @ b if a.dtype == torch.float64 else torch.stack([x @ y for x, y in zip(a, b)])


@functools.cache
def _threads() -> ThreadpoolController:
    """What sets the threads of the libraries that are loaded; to find them takes as long as a small fit."""
    return ThreadpoolController()


class _Scale:
    """``w = L^-T v`` where ``L Lᵀ = curvature + l2``: in terms of ``v`` the Hessian is about the identity.

    The bias, last, stands alone since the features are centred. Features beyond ``LARGEST_ROTATION`` and those
    that do not covary are scaled by their own curvature, given as a vector.
    """

    def __init__(self, curvature: Tensor, l2: float, classes: int) -> None:
        self.bias = classes**0.5
        self.diagonal = curvature.ndim == 2
        if self.diagonal:
            self.factor = (curvature + l2).sqrt()[..., None]
            return
        eye = torch.eye(curvature.shape[1], dtype=curvature.dtype, device=curvature.device)
        top = curvature.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]  # no eigenvalue is larger
        for rounding in (0, 1e-9, 1e-7, 1e-5):  # of a covariance in float32, which may leave it indefinite
            self.factor, failed = torch.linalg.cholesky_ex(curvature + (l2 + rounding * top) * eye)
            if not failed.any():
                break

    def __call__(self, v: Tensor) -> Tensor:
        w = v[:, :-1]
        w = w / self.factor if self.diagonal else torch.linalg.solve_triangular(self.factor.mT, w, upper=True)
        return torch.cat([w, v[:, -1:] * self.bias], 1)

    def transposed(self, slope: Tensor) -> Tensor:
        g = slope[:, :-1]
        g = g / self.factor if self.diagonal else torch.linalg.solve_triangular(self.factor, g, upper=False)
        return torch.cat([g, slope[:, -1:] * self.bias], 1)

    def inverse(self, w: Tensor) -> Tensor:
        v = w[:, :-1]
        v = v * self.factor if self.diagonal else self.factor.mT @ v
        return torch.cat([v, w[:, -1:] / self.bias], 1)


def _covariance(x: Float[Tensor, "batch samples features"]) -> Tensor:
    """``(batch, features, features)`` of centred ``x`` in float64, or only the variances ``(batch, features)``
    where there are too many features, or where samples' coordinates do not covary. It only scales the steps:
    of many samples, ``ENOUGH`` times as many as features tell it, spread over all."""
    batch, samples, features = x.shape
    if features > LARGEST_ROTATION or features >= samples:
        return x.double().square().mean(1)
    x = x[:, :: max(1, samples // (ENOUGH * features))]
    total = x.new_zeros(batch, features, features, dtype=torch.float64)
    for block in x.split(max(features, 1024), 1):
        total += block.mT @ block
    return total / x.shape[1]


def sample_coordinates(
    x: Float[Tensor, "batch samples features"],
) -> tuple[Float[Tensor, "batch samples axes"], Float[Tensor, "batch features axes"]]:
    """Centred ``x`` on its principal axes, as many as there are samples, and the axes.

    Directions without variance have axes of zeros, so nothing is learned along them.
    """
    size, left = torch.linalg.eigh((x @ x.mT).double())
    rounding = (1e-12 if x.dtype == torch.float64 else 1e-6) * size[:, -1:].clamp(min=1e-30)
    size = torch.where(size > rounding, size, 0)
    axes = x.double().mT @ (left * torch.where(size > 0, size, torch.inf).rsqrt()[:, None])
    return (left * size.sqrt()[:, None]).to(x.dtype), axes.to(x.dtype)
