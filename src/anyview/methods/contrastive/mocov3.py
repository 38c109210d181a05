"""MoCo v3: no queue; predict the keys of the batch, made by a slower copy of yourself."""

from torch import Tensor, nn

from anyview.data.batch import Batch, Payload
from anyview.encoders import heads
from anyview.encoders.base import Encoder
from anyview.methods.projected import Taught
from anyview.objectives.queries import in_batch_info_nce
from anyview.register import system
from anyview.targets.ema import EMATeacher
from anyview.views.base import Views


@system(
    "mocov3",
    title="An Empirical Study of Training Self-Supervised Vision Transformers",
    paper="arXiv:2104.02057",
    year=2021,
    kind="method",
)
class MoCoV3(Taught):
    """Each view's prediction must find the key of the other view among the keys of the batch (algorithm 1).

    The keys come from an average of encoder and projector, without the predictor. The loss is symmetric, and
    multiplied by ``2 t`` so that its gradient keeps its size at any temperature. The paper's frozen patch
    projection, which steadies large transformers, is left out.

    Args:
        hidden_dim: width of projector and predictor inside; None is twice the encoder's width, but 512 at least.
        out_dim: width of queries and keys.
        layers: layers of the projector: 2 as for ResNets, 3 as for transformers.
        temperature: of the softmax; 0.2 for transformers and 1 for ResNets in the paper.
        momentum: of the key encoder at the start; it rises to 1 along a cosine. None scales with the data: it
            remembers half an epoch, at most 250 steps (0.996, as published for a thousand epochs; shorter runs and
            transformers have 0.99).
        predictor: the switch is an ablation of the paper's.
    """

    needs = "two_views"
    couples_samples = True
    collapse_hint = "With mocov3 this is usually a learning rate too high or a batch too small"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        hidden_dim: int | None = None,
        out_dim: int = 256,
        layers: int = 2,
        temperature: float = 0.2,
        momentum: float | None = None,
        predictor: bool = True,
    ) -> None:
        super().__init__(encoder, views)
        hidden = hidden_dim or max(512, 2 * encoder.dim)
        self.temperature = temperature
        self.momentum = 0.996 if momentum is None else momentum
        self.projector = heads.projector(encoder.dim, hidden, out_dim, layers, last_norm=True)
        self.predictor = heads.predictor(out_dim, hidden) if predictor else nn.Identity()
        self.teacher = EMATeacher(self.averaged())

    def student(self, x: Payload) -> Tensor:
        return self.predictor(self.project(x))

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        return {"query": self.encode(views, self.student), "key": self.encode(views, self.teacher).flip(0)}

    def loss(self, query: Tensor, key: Tensor) -> Tensor:
        ctr = in_batch_info_nce(query, key.detach(), self.temperature)
        return 2 * self.temperature * len(query) * ctr  # the sum over the two directions
