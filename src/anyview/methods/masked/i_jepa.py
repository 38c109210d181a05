"""I-JEPA: predict, from one large block, what a slower copy that sees everything says of others."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder, Tokens
from anyview.encoders.decoder import gather_masked
from anyview.encoders.query_predictor import Predictor
from anyview.encoders.token_encoder import TokenEncoder, that_drops
from anyview.methods.base import Method
from anyview.objectives.regression import masked_smooth_l1
from anyview.register import system
from anyview.targets.ema import EMATeacher, scaled_momentum
from anyview.views.base import Views
from anyview.views.masks import multi_block


@system(
    "i-jepa",
    title="Self-Supervised Learning from Images with a Joint-Embedding Predictive Architecture",
    paper="arXiv:2301.08243",
    year=2023,
    kind="method",
)
class IJEPA(Method):
    """A narrow predictor tells, from the tokens of a context block and the places of a target block, what the
    teacher says there, which has seen the whole sample (section 3). Each target block is predicted by itself.

    The targets are the teacher's last output, normalised over the values of a token. The loss is smooth L1, as
    in the official code (the paper writes the squared distance).

    Args:
        blocks: target blocks of a sample; none overlaps the context.
        target_scale: least and largest share of the tokens in a target block.
        context_scale: alike for the context, before the target blocks are taken out.
        predictor_dim: width of the predictor; None is half the encoder's, at least 64.
        predictor_depth: its layers; 6 beside the paper's ViT-B.
        predictor_heads: its attention heads.
        beta: where the loss goes from squared to absolute; 0 is squared error.
        momentum: of the teacher at the start. None scales with the data: the teacher remembers half an epoch, at
            most the paper's 250 steps (0.996).
        end_momentum: what it rises to, linearly; with 0 for both the teacher is the student itself.
    """

    needs = "tokens"
    couples_samples = False
    view_defaults = {"crop_scale": (0.3, 1.0)}
    collapse_hint = "With i-jepa this is usually a teacher that follows too fast, or target blocks too small"
    encoder: TokenEncoder

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        blocks: int = 4,
        target_scale: tuple[float, float] = (0.15, 0.2),
        context_scale: tuple[float, float] = (0.85, 1.0),
        predictor_dim: int | None = None,
        predictor_depth: int = 2,
        predictor_heads: int = 4,
        beta: float = 1.0,
        momentum: float | None = None,
        end_momentum: float = 1.0,
    ) -> None:
        super().__init__(encoder, views)
        that_drops(encoder, "i-jepa")
        self.blocks, self.target_scale, self.context_scale = blocks, target_scale, context_scale
        self.beta = beta
        self.momentum, self.end_momentum = 0.996 if momentum is None else momentum, end_momentum
        width = predictor_dim or max(64, encoder.dim // 2)
        self.predictor = Predictor(encoder.dim, width, predictor_depth, predictor_heads)
        self.teacher = EMATeacher(encoder, always_eval=True)

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {"momentum": scaled_momentum(samples, batch_size)}

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        x = views[0].x
        coords, valid = self.encoder.layout(x)
        blocks, context = multi_block(
            coords, valid, blocks=self.blocks, scale=self.target_scale, context=self.context_scale
        )
        seen = self.encoder.tokens(x, ~context, masked="drop")
        assert isinstance(seen, Tokens)

        def each(t: Tensor) -> Tensor:  # once for every target block
            return t.repeat_interleave(self.blocks, 0)

        chosen, real = blocks.flatten(0, 1), each(valid)
        places, wanted = gather_masked(each(coords), chosen, real)
        target, _ = gather_masked(each(self.targets(x)), chosen, real)
        known = Tokens(each(seen.values), each(seen.coords), each(seen.valid))
        prediction = self.predictor(known, places, wanted, self.noise(target))
        return {"prediction": prediction, "target": target, "valid": wanted}

    def noise(self, target: Tensor) -> Tensor | None:
        """What makes the queries uncertain of their place: nothing here."""
        return None

    @torch.no_grad()
    def targets(self, x: Any) -> Tensor:
        """``(batch, tokens, dim)``: the teacher's tokens, each normalised over its values."""
        averaged: Any = self.teacher.module
        values = averaged.tokens(x).values
        return F.layer_norm(values, values.shape[-1:])

    def loss(self, prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        return masked_smooth_l1(prediction, target, valid, beta=self.beta)

    def after_step(self) -> None:
        rise = self.progress * (self.end_momentum - self.momentum)
        self.teacher.update(self.encoder, self.momentum + rise)
