"""Stochastic contrast: SimCLR through a noisy bottleneck that charges for every nat."""

import torch
from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.heads import projector
from anyview.encoders.stochastic import StochasticHead
from anyview.methods.base import Method
from anyview.objectives.contrastive import nt_xent
from anyview.register import system
from anyview.views.base import Views


@system(
    "stochastic-contrastive",
    title="Stochastic Contrastive Learning",
    paper="arXiv:2110.00552",
    year=2021,
    kind="method",
)
class StochasticContrastive(Method):
    """Between encoder and projection head stands a distribution ``q(z|x)``, of which each view draws a sample.
    To NT-Xent of the projected samples comes ``beta`` times the divergence of ``q`` from a fixed prior: an ELBO
    with the contrast in place of a decoder. The code that results is small, has an uncertainty for each input,
    and a price in nats.

    What is kept after training is the encoder before the bottleneck, and ``method.bottleneck.code`` of its output
    is the compressed code. The paper's abstract does not say where the latent sits and which ``beta`` was used:
    here it follows the pooled features, and ``beta`` rises from 0, since a full price on an untrained code empties
    it.

    Args:
        distribution: ``gaussian``, ``bernoulli`` (bits) or ``categorical``.
        code_dim: units of the code.
        categories: of each unit, for ``categorical``.
        beta: price of a nat of the code, against the contrast.
        warmup: share of training over which the price rises to ``beta``.
        hidden_dim: width of the projection head; None takes the encoder's width, but 512 at least.
        out_dim: width of the embeddings that are compared.
        temperature: of the softmax.
    """

    needs = "two_views"
    couples_samples = True
    collapse_hint = "With stochastic-contrastive this is usually a beta too high, which empties the code"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        distribution: str = "gaussian",
        code_dim: int = 32,
        categories: int = 2,
        beta: float = 0.001,
        warmup: float = 0.2,
        hidden_dim: int | None = None,
        out_dim: int = 128,
        temperature: float = 0.5,
    ) -> None:
        super().__init__(encoder, views)
        self.beta, self.warmup, self.temperature = beta, warmup, temperature
        self.bottleneck = StochasticHead(encoder.dim, code_dim, distribution, categories=categories)
        self.projector = projector(self.bottleneck.outputs, hidden_dim or max(512, encoder.dim), out_dim)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        drawn = [self.bottleneck(h) for h in self.encode(views)]
        z = torch.stack([self.projector(code.sample) for code in drawn])
        return {"z": z, "kl": torch.stack([code.kl for code in drawn])}

    def loss(self, z: Tensor, kl: Tensor) -> dict[str, Tensor]:
        beta = self.beta * min(1.0, self.progress / self.warmup if self.warmup else 1.0)
        rate = 0.5 * kl.sum(0).mean()
        return {"contrast": nt_xent(z, self.temperature), "rate": beta * rate}
