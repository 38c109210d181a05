"""DUET: what was done to a view lies along one axis of its embedding, what it shows along the other."""

import torch
from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.heads import projector
from anyview.errors import InputError
from anyview.methods.base import Method
from anyview.objectives.bins import duet
from anyview.register import system
from anyview.views.base import Views


@system(
    "duet",
    title="DUET: 2D Structured and Approximately Equivariant Representations",
    paper="arXiv:2306.16058",
    year=2023,
    kind="method",
)
class DUET(Method):
    """The encoder's vector is read as a matrix of ``bins x content``. Its mean over content must say which parameter
    the view was made with, as a distribution over bins; its sum over bins is compared as in SimCLR.

    What is kept is the whole matrix, flat: the encoder's output. Its ``argmax`` over ``method.marginal`` reads the
    transformation.

    Args:
        bins: of the parameter; the encoder's width must be a multiple.
        hidden_dim: width of the projector inside (three layers); None is four times the content's, but 512 at least.
        out_dim: width of the embeddings that are compared.
        temperature: of the contrast.
        group: weight of the parameter; the paper has 10, and 1,000 for rotations.
        spread: of the distribution about a parameter: a deviation, or a concentration for one that is cyclic. None is
            0.2 or 3.
    """

    needs = "parameter_views"
    couples_samples = True
    collapse_hint = "With duet this is usually a group weight too large"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        bins: int = 8,
        hidden_dim: int | None = None,
        out_dim: int = 128,
        temperature: float = 0.1,
        group: float = 10.0,
        spread: float | None = None,
    ) -> None:
        super().__init__(encoder, views)
        if bins < 1 or encoder.dim % bins:
            raise InputError(
                f"duet needs a number of bins that divides the encoder's width {encoder.dim}, not {bins}"
            )
        self.bins, self.cyclic, self.spread = bins, views.cyclic, spread
        self.temperature, self.group = temperature, group
        content = encoder.dim // bins
        hidden = hidden_dim or max(512, 4 * content)
        self.projector = projector(content, hidden, out_dim, layers=3, last_norm=True)

    def matrix(self, h: Tensor) -> Tensor:
        """Embeddings ``(batch, dim)`` as ``(batch, bins, content)``."""
        return h.unflatten(-1, (self.bins, -1))

    def marginal(self, h: Tensor) -> Tensor:
        """Logits of the parameter's bins."""
        return self.matrix(h).mean(-1)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        h = self.encode(views)
        content = self.matrix(h).sum(-2).flatten(0, 1)
        return {
            "z": self.projector(content).view(*h.shape[:2], -1),
            "marginal": self.marginal(h),
            "parameter": torch.stack([view.meta["parameter"] for view in views]),
        }

    def loss(self, z: Tensor, marginal: Tensor, parameter: Tensor) -> dict[str, Tensor]:
        return duet(
            z,
            marginal,
            parameter,
            cyclic=self.cyclic,
            spread=self.spread,
            temperature=self.temperature,
            weight=self.group,
        )
