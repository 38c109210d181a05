"""DINO: say of a small crop what a slower copy of yourself says of a large one."""

from functools import partial
from typing import Any

from torch import Tensor, nn

from anyview.data.batch import Batch, Payload
from anyview.encoders.base import Encoder
from anyview.encoders.batch_norm import batch_norms
from anyview.encoders.heads import DINOHead
from anyview.methods.projected import Taught
from anyview.objectives.distillation import distillation
from anyview.register import system
from anyview.targets.centre import Centre
from anyview.targets.ema import EMATeacher
from anyview.views.base import Views

LARGE = 2  #: crops that the teacher sees; they come first


@system(
    "dino",
    title="Emerging Properties in Self-Supervised Vision Transformers",
    paper="arXiv:2104.14294",
    year=2021,
    kind="method",
)
class DINO(Taught):
    """Every crop of the student is to name the prototypes that the teacher names for the other large crops (section
    3.1). The teacher is an average of encoder and head and sees the two large crops alone. Its logits are centred by
    their running mean and sharpened by a low temperature; together these avoid collapse (section 5.3). Which mean
    that is, ``targets.centre.Centre`` says.

    Lengths that the paper gives in epochs are shares of the run here: of the 100 epochs of its ablations, 30 warm the
    teacher's temperature up, and the last layer is held in the first. Views of a sample agree less in short runs on
    small data than in the paper's, and a student that can tell less than ``teacher_temperature / temperature`` of a
    target falls back to the uniform one: so that temperature stays at 0.04, as in the official code, unless raised.

    Args:
        hidden_dim: width of the head inside; None is four times the encoder's, from 512 to the paper's 2,048.
        bottleneck_dim: width before the last layer.
        out_dim: prototypes. None is one for 20 samples, as the paper's 65,536 are for 1.28 million, but 512 at least.
        temperature: of the student.
        teacher_temperature: of the teacher, once it is warm; 0.07 in the paper's long runs.
        start_temperature: of the teacher at the start; it rises linearly.
        temperature_warmup: share of the run until it is warm.
        momentum: of the teacher at the start; it rises to 1 along a cosine. None scales with the data: it remembers
            half an epoch, at most the paper's 250 steps (0.996).
        centre_momentum: of the centre; 1 leaves out centring, which collapses.
        held: share of the run in which the last layer does not move.
        norm: of the head; None is ``batch`` where the encoder has batch norms and ``none`` elsewhere: the paper has
            none beside transformers because they have none (section 3.1).
    """

    needs = "multi_crop"
    couples_samples = False
    collapse_hint = "With dino this is usually a teacher temperature or a learning rate that is too high"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        hidden_dim: int | None = None,
        bottleneck_dim: int = 256,
        out_dim: int | None = None,
        temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        start_temperature: float = 0.04,
        temperature_warmup: float = 0.3,
        momentum: float | None = None,
        centre_momentum: float = 0.9,
        held: float = 0.01,
        norm: str | None = None,
    ) -> None:
        super().__init__(encoder, views)
        self.temperature, self.teacher_temperature = temperature, teacher_temperature
        self.start_temperature, self.temperature_warmup = start_temperature, temperature_warmup
        self.momentum, self.held = 0.996 if momentum is None else momentum, held
        if norm is None:
            norm = "batch" if batch_norms(encoder) else "none"
        self.new_head = partial(
            DINOHead, encoder.dim, hidden_dim, bottleneck_dim, out_dim or 65536, norm=norm
        )
        self.head = self.new_head()
        self.centre = Centre(out_dim or 65536, centre_momentum)
        self.teacher = EMATeacher(nn.Sequential(encoder, self.head))

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return super().scaled(samples, batch_size) | {"out_dim": min(65536, max(512, samples // 20))}

    def averaged(self) -> nn.Module:
        return nn.Sequential(self.encoder, self.head)

    def sharpness(self) -> float:
        """The teacher's temperature at this moment."""
        warm = min(1.0, self.progress / self.temperature_warmup) if self.temperature_warmup else 1.0
        return self.start_temperature + warm * (self.teacher_temperature - self.start_temperature)

    def student(self, x: Payload) -> Tensor:
        return self.head(self.encoder(x), held=self.progress < self.held)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        return {
            "student": self.encode(views, self.student),
            "teacher": self.encode(views[:LARGE], self.teacher),
        }

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor | dict[str, Tensor]:
        target = self.centre(teacher, self.sharpness())
        self.centre.note(teacher)
        return distillation(student, target, self.temperature)

    def after_step(self) -> None:
        super().after_step()
        self.centre.update()
