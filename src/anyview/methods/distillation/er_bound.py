"""Entropy and reconstruction: one bound in place of the losses of SimCLR, BYOL, clustering and DINO."""

from typing import Any

import torch
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders import heads
from anyview.encoders.base import Encoder
from anyview.errors import InputError
from anyview.methods.projected import Projected
from anyview.objectives.entropy import Estimator, er_codes, er_sphere
from anyview.register import system
from anyview.targets.ema import EMATeacher, momentum_schedule, scaled_momentum
from anyview.views.base import Views


@system(
    "er-bound",
    title="The Role of Entropy and Reconstruction in Multi-View Self-Supervised Learning",
    paper="arXiv:2307.10907",
    year=2023,
    kind="method",
)
class ERBound(Projected):
    """Views rebuild each other while the batch keeps its entropy: a bound on their mutual information, both of whose
    terms are logged.

    Two switches name the host whose loss it replaces. On directions: SimCLR, or with a teacher BYOL (teacher,
    predictor and stop-gradient stay). On codes: clustering, or with a teacher DINO without centring and sharpening.
    The entropy is that of the student's projections, before a predictor: a teacher's would have no gradient.

    Args:
        teacher: what is rebuilt comes from a moving average of the student.
        codes: width of the distributions over codes; 0 compares directions instead.
        hidden_dim: width of the projector inside; None is twice the encoder's width, but 512 at least.
        out_dim: width of the projections on directions.
        kappa: concentration on directions, one over a temperature.
        estimator: of the entropy on directions: ``plug-in`` weights samples by their density, ``joe`` does not.
        momentum: of the teacher at the start; it rises to 1 along a cosine. None scales with the data: it
            remembers half an epoch, at most the 250 steps of BYOL.
        entropy: weight of the entropy; the bound has 1, and 0 leaves reconstruction alone.
    """

    needs = "two_views"
    couples_samples = True
    collapse_hint = "With er-bound this is usually a learning rate too high or an entropy weight below 1"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        teacher: bool = False,
        codes: int = 0,
        hidden_dim: int | None = None,
        out_dim: int = 128,
        kappa: float = 10.0,
        estimator: Estimator = "plug-in",
        momentum: float | None = None,
        entropy: float = 1.0,
    ) -> None:
        super().__init__(encoder, views)
        if codes < 0 or codes == 1:
            raise InputError(f"codes is 0 for directions, or two or more, not {codes}")
        hidden = hidden_dim or max(512, 2 * encoder.dim)
        self.codes, self.kappa, self.entropy = codes, kappa, entropy
        self.estimator: Estimator = estimator
        self.momentum = 0.996 if momentum is None else momentum
        self.projector = heads.projector(encoder.dim, hidden, codes or out_dim)
        predicts = teacher and not codes
        self.predictor = heads.predictor(out_dim, hidden) if predicts else nn.Identity()
        self.teacher = EMATeacher(nn.Sequential(encoder, self.projector)) if teacher else None

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {"momentum": scaled_momentum(samples, batch_size)}

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        z = self.encode(views, self.project)
        if self.teacher is None:
            return {"z": z}
        found = {"z": z, "target": self.encode(views, self.teacher)}
        if self.codes:
            return found
        return found | {"prediction": torch.stack([self.predictor(view) for view in z])}

    def loss(
        self, z: Tensor, target: Tensor | None = None, prediction: Tensor | None = None
    ) -> dict[str, Tensor]:
        target, prediction = z if target is None else target, z if prediction is None else prediction
        if self.codes:
            terms = er_codes(z, target)
        else:
            terms = er_sphere(prediction, target, z, self.kappa, self.estimator)
        return terms | {"entropy": self.entropy * terms["entropy"]}

    def after_step(self) -> None:
        if self.teacher is not None:
            momentum = momentum_schedule(self.progress, self.momentum)
            self.teacher.update(nn.Sequential(self.encoder, self.projector), momentum)
