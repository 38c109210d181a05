"""What many methods have in common: a projection head behind the encoder, and a teacher that averages both."""

from typing import Any

from torch import Tensor, nn

from anyview.data.batch import Batch, Payload
from anyview.methods.base import Method
from anyview.targets.ema import EMATeacher, momentum_schedule, scaled_momentum


class Projected(Method):
    """A method that compares what its ``projector`` makes of the encoder's vectors. The projector is thrown away.

    ``loss`` gets ``z``, ``(views, batch, dim)``, unless ``forward`` says otherwise.
    """

    projector: nn.Module

    def project(self, x: Payload) -> Tensor:
        """Encoder, then projector."""
        return self.projector(self.encoder(x))

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        return {"z": self.encode(views, self.project)}


class Taught(Projected):
    """A method with a ``teacher``: an average of encoder and projector, whose ``momentum`` rises to 1 along a cosine
    and scales with the data when none is given."""

    momentum: float
    teacher: EMATeacher

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {"momentum": scaled_momentum(samples, batch_size)}

    def averaged(self) -> nn.Module:
        """What the teacher is an average of."""
        return nn.Sequential(self.encoder, self.projector)

    def after_step(self) -> None:
        self.teacher.update(self.averaged(), momentum_schedule(self.progress, self.momentum))
