"""A stochastic bottleneck: an embedding becomes a distribution, and a sample of it goes on."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from anyview.errors import InputError, unknown

#: smallest and largest log variance of a Gaussian code
LOG_VARIANCE = (-30.0, 6.0)
START = -4.0  #: log variance of an untrained one


@dataclass(frozen=True)
class Sampled:
    """What a bottleneck makes of a batch.

    Attributes:
        sample: ``(batch, outputs)``, one draw, with gradient to the parameters of its distribution.
        kl: ``(batch,)``, nats from the prior to the posterior: what the code tells of the sample.
    """

    sample: Float[Tensor, "batch outputs"]
    kl: Float[Tensor, "batch"]


class StochasticHead(nn.Module):
    """A linear layer to the parameters of ``q(z|x)``, and one sample by the reparametrisation trick.

    What comes in is standardised by a batch norm first: features of a network share a mean that is many times their
    spread, and units that follow it say the same of all samples.

    - ``gaussian``: mean and variance of each dimension, the prior is ``N(0, I)``; ``z = mu + sigma e``.
    - ``bernoulli``: fair bits. ``z`` is 0 or 1, and its gradient that of the binary concrete relaxation
      (Maddison et al. 2017, arXiv:1611.00712) that it was thresholded from (straight through).
    - ``categorical``: each unit is one of ``categories``, uniform a priori, as a one-hot vector; straight-through
      Gumbel softmax (Jang et al. 2017, arXiv:1611.01144).

    Whatever the precision around it, this is computed in float32 at least: bits of 8 bits' mantissa are noise.

    Args:
        inputs: width of what comes in.
        dim: units of the code.
        distribution: see above.
        categories: of each unit, for ``categorical``.
        relaxation: temperature of the relaxations; 2/3 and below is usual.

    Raises:
        InputError: for another distribution, no units, fewer than two categories or a relaxation not above 0.
    """

    def __init__(
        self,
        inputs: int,
        dim: int,
        distribution: str = "gaussian",
        *,
        categories: int = 2,
        relaxation: float = 0.5,
    ) -> None:
        super().__init__()
        numbers = {"gaussian": 2, "bernoulli": 1, "categorical": categories}
        if distribution not in numbers:
            raise unknown("distribution", distribution, numbers)
        if dim < 1 or categories < 2 or not relaxation > 0:
            raise InputError(
                f"a code has 1 or more units, 2 or more categories and a relaxation above 0, not {dim}, "
                f"{categories} and {relaxation:g}"
            )
        self.distribution, self.categories, self.relaxation = distribution, categories, relaxation
        self.outputs = dim * (categories if distribution == "categorical" else 1)  #: width of a sample
        self.numbers = numbers[distribution]
        self.norm = nn.BatchNorm1d(inputs, affine=False)
        self.linear = nn.Linear(inputs, dim * self.numbers)
        if distribution == "gaussian":  # narrow at first: with the prior's variance all would start as noise
            nn.init.constant_(self.linear.bias[1::2], START)

    def parameters_of(self, h: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch dim numbers"]:
        """Of each unit: mean and log variance, the logit of a 1, or the logits of its categories."""
        with torch.autocast(h.device.type, enabled=False):
            out = self.linear(self.norm(h.to(self.linear.weight))).unflatten(1, (-1, self.numbers))
        if self.distribution != "gaussian":
            return out
        return torch.stack([out[..., 0], out[..., 1].clamp(*LOG_VARIANCE)], -1)

    def forward(self, h: Float[Tensor, "batch inputs"]) -> Sampled:
        p = self.parameters_of(h)
        if self.distribution == "gaussian":
            mean, log_variance = p.unbind(-1)
            return Sampled(
                mean + (0.5 * log_variance).exp() * normal_noise(mean), gaussian_kl(mean, log_variance)
            )
        if self.distribution == "bernoulli":
            logit = p[..., 0]
            soft = torch.sigmoid((logit + logistic_noise(logit)) / self.relaxation)
            return Sampled(_straight_through(soft.round(), soft), categorical_kl(F.pad(p, (1, 0))))
        soft = torch.softmax((p + gumbel_noise(p)) / self.relaxation, -1)
        hard = F.one_hot(soft.argmax(-1), self.categories).to(soft)
        return Sampled(_straight_through(hard, soft).flatten(1), categorical_kl(p))

    @torch.no_grad()
    def code(self, h: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch dim"] | Int[Tensor, "batch dim"]:
        """The likeliest value of every unit: means, bits (0 or 1) or categories."""
        p = self.parameters_of(h)
        if self.distribution == "gaussian":
            return p[..., 0]
        return (p[..., 0] > 0).long() if self.distribution == "bernoulli" else p.argmax(-1)


def gaussian_kl(
    mean: Float[Tensor, "batch dim"], log_variance: Float[Tensor, "batch dim"]
) -> Float[Tensor, "batch"]:
    """``KL(N(mean, variance) || N(0, I)) = 1/2 sum_d (mean^2 + variance - 1 - log variance)``, in nats."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1)


def categorical_kl(logits: Float[Tensor, "batch dim categories"]) -> Float[Tensor, "batch"]:
    """``KL(q || uniform) = sum_k q_k (log q_k + log K)`` summed over the units, in nats."""
    log_q = logits.log_softmax(-1)
    return (log_q.exp() * (log_q + math.log(logits.shape[-1]))).sum((-2, -1))


def normal_noise(like: Tensor) -> Tensor:
    """Standard normal numbers of a tensor's shape."""
    return torch.randn_like(like)


def gumbel_noise(like: Tensor) -> Tensor:
    """Standard Gumbel numbers of a tensor's shape."""
    return -torch.empty_like(like).exponential_().log()


def logistic_noise(like: Tensor) -> Tensor:
    """Standard logistic numbers of a tensor's shape: differences of two Gumbel numbers."""
    return gumbel_noise(like) - gumbel_noise(like)


def _straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """``hard`` with the gradient of ``soft``."""
    return hard + (soft - soft.detach())
