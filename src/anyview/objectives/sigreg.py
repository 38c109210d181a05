"""SIGReg: embeddings as an isotropic Gaussian, seen from many random directions."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.precision import full_precision

LIMIT, KNOTS = 5.0, 17  #: the integral runs over [-5, 5] in 17 points


def random_directions(dim: int, count: int, seed: int) -> Float[Tensor, "dim count"]:
    """``count`` directions spread evenly over the sphere, the same wherever the seed is the same: whatever the
    device, and in all processes, whose own generators differ."""
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(dim, count, generator=generator), dim=0)


def epps_pulley(x: Float[Tensor, "*sets batch slices"]) -> Float[Tensor, "*sets slices"]:
    r"""The statistic of Epps and Pulley (1983) for the standard normal distribution, of each column.

        T = B int | (1/B) sum_b exp(i t x_b) - exp(-t^2 / 2) |^2 exp(-t^2 / 2) dt

    over ``[-5, 5]`` by the trapezoid rule in 17 points, as in LeJEPA's listing. The integrand is even in ``t`` and 0
    at 0, so half of the points are enough. A standard normal sample gives ``sqrt(2 pi) - sqrt(2 pi / 3) = 1.06`` in the
    mean, whatever its size; one that is not normal grows with its size.
    """
    step = 2 * LIMIT / (KNOTS - 1)
    total = x.new_zeros(())
    for k in range(1, KNOTS // 2 + 1):
        t = k * step
        normal = torch.exp(torch.tensor(-(t**2) / 2, dtype=x.dtype, device=x.device))
        error = ((t * x).cos().mean(-2) - normal).square() + (t * x).sin().mean(-2).square()
        weight = step if k == KNOTS // 2 else 2 * step  # both signs; half as much at the ends
        total = total + weight * normal * error
    return x.shape[-2] * total


@full_precision
def sigreg(
    z: Float[Tensor, "*views batch dim"], directions: Float[Tensor, "dim slices"]
) -> Float[Tensor, ""]:
    r"""Sketched isotropic Gaussian regularisation (Balestriero and LeCun 2025, arXiv:2511.08544, definition 2).

        mean over views and directions a of  T( { a . z_b }_b )

    with ``T`` by Epps and Pulley (``epps_pulley``) and unit directions, drawn anew at each step
    (``random_directions``). Embeddings are not normalised: their length is part of what must be Gaussian.

    Raises:
        InputError: for fewer than two samples.
    """
    if z.shape[-2] < 2:
        raise InputError(f"sigreg looks at a distribution; this batch has {z.shape[-2]} sample, needs two")
    return epps_pulley(z @ directions.to(z)).mean()


@full_precision
def lejepa(
    z: Float[Tensor, "views batch dim"],
    directions: Float[Tensor, "dim slices"],
    lambd: float = 0.05,
    centres: int = 2,
) -> dict[str, Float[Tensor, ""]]:
    r"""LeJEPA (Balestriero and LeCun 2025, arXiv:2511.08544, section 5).

        L = lambd S + (1 - lambd) I
        S   sigreg, averaged over the views
        I   mean over views, samples and dimensions of ( z_v - m )^2,   m the mean of the first ``centres`` views

    The global views come first. The gradient goes through the centre too: no stop-gradient, teacher or predictor.
    ``I`` is a mean over dimensions as in the authors' code; the paper writes the squared norm. ``S`` carries the
    factor ``B`` of the statistic; a version that also divides the gradient by the number of processes weakens it,
    which is not done here.

    Returns:
        The two weighted terms by name; their sum is the loss.

    Raises:
        InputError: for a single view or sample, or a lambd outside 0 to 1.
    """
    if len(z) < 2:
        raise InputError("lejepa compares views; this batch has one view and needs two or more")
    if not 0 <= lambd <= 1:
        raise InputError(f"lambd shares the loss between its terms, 0 to 1; it is {lambd:g}")
    centre = z[:centres].mean(0, keepdim=True)
    return {
        "gaussian": lambd * sigreg(z, directions),
        "invariance": (1 - lambd) * (z - centre).square().mean(),
    }
