"""FlexPredict (StoP): I-JEPA whose queries are uncertain of the place they ask for."""

from typing import Any

from torch import Tensor

from anyview.encoders import stochastic
from anyview.encoders.base import Encoder
from anyview.errors import InputError
from anyview.methods.masked.i_jepa import IJEPA
from anyview.register import system
from anyview.views.base import Views


@system(
    "flexpredict",
    title="Predicting masked tokens in stochastic locations improves masked image modeling",
    paper="arXiv:2308.00566",
    year=2023,
    kind="method",
)
class FlexPredict(IJEPA):
    """A query is drawn from a Gaussian around its position: ``A n + ψ + b`` with ``n ~ N(0, σ² I)``, where ``A``
    is the matrix that projects the context (section 3). So the covariance ``σ² A Aᵀ`` is learned, and shrinking
    it would destroy the context. Each query has noise of its own; the context has none.

    The parametrisation is that of the released code, whose later title is Stochastic Positional Embeddings;
    ``σ`` of 0 is I-JEPA.

    Args:
        sigma: deviation of the noise, in the encoder's width.
        **options: those of ``IJEPA``.
    """

    couples_samples = False

    def __init__(self, encoder: Encoder, views: Views, *, sigma: float = 0.25, **options: Any) -> None:
        super().__init__(encoder, views, **options)
        if sigma < 0:
            raise InputError(f"sigma is {sigma:g}; it can be 0 (i-jepa) or more")
        self.sigma = sigma

    def noise(self, target: Tensor) -> Tensor | None:
        """One draw for each token to predict, in the encoder's width; none outside training."""
        return self.sigma * stochastic.normal_noise(target) if self.training else None
