"""Random networks as targets: never trained, chosen to say different things of the same samples."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from anyview.data.batch import Payload
from anyview.encoders.batch_norm import batch_norms, counted_anew
from anyview.errors import InputError


class RandomProjectors(nn.Module):
    """``count`` random networks, frozen, as in LFR (Sui et al. 2023, arXiv:2310.07756, section 3).

    ``choose`` draws many candidates and keeps the ones that see the most different relations between samples.
    It also standardises every target by the samples it is shown: what all samples have in common (the mean
    of a network with rectified outputs is most of its output) would leave nothing to tell them apart.

    All of it is parameters without gradient and buffers, so ``state_dict`` holds it. The networks are always
    in eval mode.

    Args:
        build: makes a new random network of one vector a sample, from torch's generator.
        count: number of targets, K.
        dim: width of the network's output.
    """

    def __init__(self, build: Callable[[], nn.Module], count: int, dim: int) -> None:
        super().__init__()
        if count < 1:
            raise InputError(f"random targets need at least 1 projector, not {count}")
        self.build = build
        self.networks = nn.ModuleList(build() for _ in range(count)).requires_grad_(False).eval()
        self.mean: Float[Tensor, "count dim"]
        self.std: Float[Tensor, "count dim"]
        self.register_buffer("mean", torch.zeros(count, dim))
        self.register_buffer("std", torch.ones(count, dim))

    def train(self, mode: bool = True) -> "RandomProjectors":
        """Targets do not change, whatever the method around them does."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, x: Payload) -> Float[Tensor, "count batch dim"]:
        y = torch.stack([network(x).to(self.mean.dtype) for network in self.networks])
        return (y - self.mean[:, None]) / self.std[:, None]

    @torch.no_grad()
    def choose(self, x: Payload, candidates: int) -> None:
        """Keeps, of the networks there are and new ones up to ``candidates`` in all, those that differ most.

        Two networks are alike as far as their matrices of cosines between the samples ``x`` are; the chosen
        set has, greedily, the largest determinant of this kernel.
        """
        pool = [*self.networks, *(self.build() for _ in range(candidates - len(self.networks)))]
        outputs = torch.stack([_settled(network, x) for network in pool])
        std, mean = torch.std_mean(outputs, 1, correction=0)
        std = torch.where(std > 1e-6 * (1 + mean.abs()), std, torch.inf)  # a dead output says nothing
        relations = F.normalize((outputs - mean[:, None]) / std[:, None], dim=-1)
        relations = F.normalize((relations @ relations.mT).flatten(1), dim=-1)
        chosen = greedy_dpp(relations @ relations.T, len(self.networks))
        self.networks = nn.ModuleList(pool[i] for i in chosen.tolist()).requires_grad_(False).eval()
        self.mean.copy_(mean[chosen])
        self.std.copy_(std[chosen])


def greedy_dpp(kernel: Float[Tensor, "n n"], count: int) -> Int[Tensor, "count"]:
    """``count`` items whose kernel has, greedily, the largest determinant (Chen et al. 2018, arXiv:1709.05135).

    A column of the Cholesky factor is added for each item, so what an item would multiply the determinant by
    is at hand for all of them at once.
    """
    gain = kernel.diagonal().double().clone()
    factor = gain.new_zeros(len(kernel), count)
    chosen: list[int] = []
    for step in range(count):
        best = int(gain.argmax())
        chosen.append(best)
        row = kernel[best].double() - factor[:, :step] @ factor[best, :step]
        factor[:, step] = row / gain[best].clamp(min=1e-12).sqrt()
        gain = gain - factor[:, step].square()
        gain[chosen] = -torch.inf
    return torch.tensor(chosen)


def _settled(network: nn.Module, x: Payload) -> Float[Tensor, "batch dim"]:
    """The output of a random network whose batch norms have the statistics of ``x``."""
    if batch_norms(network):
        with counted_anew(network):
            network.train()(x)
    return network.eval()(x).float()
