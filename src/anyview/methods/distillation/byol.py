"""BYOL: predict what a slower copy of yourself says of the other view."""

from torch import Tensor, nn

from anyview.data.batch import Batch, Payload
from anyview.encoders.base import Encoder
from anyview.encoders.heads import mlp
from anyview.methods.projected import Taught
from anyview.objectives.regression import cosine_regression
from anyview.register import system
from anyview.targets.ema import EMATeacher
from anyview.views.base import Views


@system(
    "byol",
    title="Bootstrap your own latent: A new approach to self-supervised Learning",
    paper="arXiv:2006.07733",
    year=2020,
    kind="method",
)
class BYOL(Taught):
    """The online network predicts the teacher's projection of the other view (equation 2), symmetrised.

    The teacher is an exponential moving average of encoder and projector; it has no predictor and gets no
    gradient. Nothing in the loss forbids collapse: predictor and moving target together avoid it.
    The two views come from two distributions (table 6 of the paper).

    Args:
        hidden_dim: width of projector and predictor; None is twice the encoder's width (4,096 for 2,048).
        out_dim: width of the projections.
        momentum: of the teacher at the start; it rises to 1 along a cosine. None scales with the data: the
            teacher remembers about half an epoch, at most the paper's 250 steps (0.996); the paper's settings
            lie between 0.3 and 0.8 epochs.
        predictor: without it the system collapses; the switch is the paper's ablation.
    """

    needs = "two_views"
    couples_samples = False
    view_defaults = {"asymmetric": True}
    collapse_hint = "With byol this is usually a teacher momentum below 0.9 or a missing predictor"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        hidden_dim: int | None = None,
        out_dim: int = 256,
        momentum: float | None = None,
        predictor: bool = True,
    ) -> None:
        super().__init__(encoder, views)
        hidden = hidden_dim or 2 * encoder.dim
        self.momentum = 0.996 if momentum is None else momentum
        self.projector = mlp([encoder.dim, hidden, out_dim])
        self.predictor = mlp([out_dim, hidden, out_dim]) if predictor else nn.Identity()
        self.teacher = EMATeacher(self.averaged())

    def student(self, x: Payload) -> Tensor:
        return self.predictor(self.project(x))

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        return {"prediction": self.encode(views, self.student), "target": self.encode(views, self.teacher)}

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        return cosine_regression(prediction, target)
