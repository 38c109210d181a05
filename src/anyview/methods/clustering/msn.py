"""MSN: from a part of the tokens, name the prototypes that a slower copy names for another whole view."""

from typing import Any

import torch
from torch import Tensor

from anyview.data.batch import Batch, Payload
from anyview.encoders import heads
from anyview.encoders.base import Encoder
from anyview.encoders.token_encoder import TokenEncoder, that_drops
from anyview.errors import InputError
from anyview.methods.projected import Taught
from anyview.objectives.prototypes import msn
from anyview.register import system
from anyview.targets.ema import EMATeacher, scaled_momentum
from anyview.targets.labels import scaled_clusters
from anyview.views.base import Views
from anyview.views.masks import random_mask


@system(
    "msn",
    title="Masked Siamese Networks for Label-Efficient Learning",
    paper="arXiv:2204.07141",
    year=2022,
    kind="method",
)
class MSN(Taught):
    """The first large crop is the target, seen whole by the teacher. The second loses tokens, which are not computed,
    and with the small crops it is an anchor. Each anchor must be assigned to prototypes as the target is, after the
    target's assignment was sharpened; on average all prototypes must be used (section 3).

    Small crops lose nothing, as in the official code. The tokens that remain are drawn for each sample; there they are
    the same for a batch.

    Args:
        drop: share of the tokens that the masked anchor loses; 0.15 beside the paper's ViT-S, 0.3 beside ViT-B.
        hidden_dim: width of the three-layer projector; None is four times the encoder's, from 512 to the paper's
            2,048.
        out_dim: width of the projections.
        prototypes: None grows with the root of the samples, up to the paper's 1,024.
        temperature: of the assignments.
        sharpen: of the targets, below 1.
        spread: weight of the even use of prototypes; 0 leaves it out, and without iterations prototypes fall out of
            use: the ablation.
        iterations: turns of Sinkhorn's algorithm on the targets; 0 is the paper's plain form.
        momentum: of the teacher at the start; it rises to 1 linearly. None scales with the data: it remembers half an
            epoch, at most the paper's 250 steps (0.996).
    """

    needs = "multi_crop"
    encoder_for = "tokens"
    couples_samples = True
    view_defaults = {"local_count": 10, "global_scale": (0.3, 1.0), "local_scale": (0.05, 0.3)}
    encoder_defaults = {"pool": "cls"}
    collapse_hint = "With msn this is usually a spread of 0 or targets that are not sharpened"
    encoder: TokenEncoder

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        drop: float = 0.15,
        hidden_dim: int | None = None,
        out_dim: int = 256,
        prototypes: int | None = None,
        temperature: float = 0.1,
        sharpen: float = 0.25,
        spread: float = 1.0,
        iterations: int = 3,
        momentum: float | None = None,
    ) -> None:
        super().__init__(that_drops(encoder, "msn"), views)
        if not 0 <= drop < 1:
            raise InputError(f"drop is a share of the tokens, from 0 up to below 1, not {drop:g}")
        hidden = hidden_dim or min(2048, max(512, 4 * encoder.dim))
        self.drop, self.temperature, self.sharpen = drop, temperature, sharpen
        self.spread, self.iterations = spread, iterations
        self.momentum = 0.996 if momentum is None else momentum
        self.projector = heads.projector(encoder.dim, hidden, out_dim, layers=3)
        self.prototypes = heads.Prototypes(out_dim, 1024 if prototypes is None else prototypes)
        self.teacher = EMATeacher(self.averaged())

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {
            "momentum": scaled_momentum(samples, batch_size),
            "prototypes": scaled_clusters(samples, 1024),
        }

    def masked(self, x: Payload) -> Tensor:
        """The vector of a random part of the tokens."""
        if not self.drop:
            return self.encoder(x)
        return self.encoder.parts(x, random_mask(*self.encoder.layout(x), self.drop), masked="drop")[0]

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        target, masked, *focal = views
        h = self.masked(masked.x)[None]
        h = torch.cat([h, self.encode(focal)]) if focal else h
        z = self.projector(h.flatten(0, 1)).unflatten(0, h.shape[:2])
        with torch.no_grad():
            seen = self.prototypes(self.teacher(target.x))
        return {"anchor": self.prototypes(z), "target": seen[None]}

    def loss(self, anchor: Tensor, target: Tensor) -> dict[str, Tensor]:
        return msn(anchor, target[0], self.temperature, self.sharpen, self.spread, self.iterations)

    def after_step(self) -> None:
        momentum = self.momentum + self.progress * (1 - self.momentum)
        self.teacher.update(self.averaged(), momentum)
