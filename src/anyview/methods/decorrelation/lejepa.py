"""LeJEPA: views agree on one point, and all points together are an isotropic Gaussian."""

import torch
from torch import Tensor

from anyview.encoders.base import Encoder
from anyview.encoders.heads import projector
from anyview.methods.projected import Projected
from anyview.objectives.sigreg import lejepa, random_directions
from anyview.register import system
from anyview.views.base import Views


@system(
    "lejepa",
    title="LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics",
    paper="arXiv:2511.08544",
    year=2025,
    kind="method",
)
class LeJEPA(Projected):
    """Global and local crops go to the mean of the global ones, and every view's batch is tested for being Gaussian
    along random directions (section 5). No teacher, predictor or stop-gradient, and one weight to choose.

    The directions of a step follow from its number, which is kept: all processes and a resumed run draw the same.

    Args:
        out_dim: width of the embeddings.
        hidden_dim: width of the projector inside (three layers); None is four times the encoder's, 512 at least.
        lambd: share of the Gaussian term in the loss; the rest is agreement.
        slices: directions of a step (1,024 in the paper's larger runs).
    """

    needs = "multi_crop"
    couples_samples = True
    collapse_hint = "With lejepa this is usually a lambd too small"
    steps: Tensor

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        out_dim: int = 64,
        hidden_dim: int | None = None,
        lambd: float = 0.05,
        slices: int = 256,
    ) -> None:
        super().__init__(encoder, views)
        self.out_dim, self.lambd, self.slices = out_dim, lambd, slices
        self.projector = projector(encoder.dim, hidden_dim or max(512, 4 * encoder.dim), out_dim, layers=3)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def loss(self, z: Tensor) -> dict[str, Tensor]:
        return lejepa(z, random_directions(self.out_dim, self.slices, int(self.steps)), self.lambd)

    def after_step(self) -> None:
        self.steps += 1
