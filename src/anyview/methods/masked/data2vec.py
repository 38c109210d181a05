"""data2vec: predict what a slower copy of yourself, which sees everything, says of the hidden tokens."""

from typing import Any

import torch
from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.decoder import gather_masked, read_hidden
from anyview.encoders.heads import projector
from anyview.encoders.token_encoder import TokenEncoder, that_drops
from anyview.errors import InputError
from anyview.methods.base import Method
from anyview.objectives.regression import masked_smooth_l1
from anyview.register import system
from anyview.targets.contextual import feed_forward_outputs, mean_of_normalised
from anyview.targets.ema import EMATeacher, scaled_momentum
from anyview.views.base import Views
from anyview.views.masks import block_mask


@system(
    "data2vec",
    title="data2vec: A General Framework for Self-supervised Learning in Speech, Vision and Language",
    paper="arXiv:2202.03555",
    year=2022,
    kind="method",
)
class Data2Vec(Method):
    """Blocks of tokens are replaced by a learned vector. The student, from its last layer, regresses for each
    hidden token the mean of the teacher's top layers, normalised, which has seen the whole sample (section 3).

    The teacher averages the student's transformer. What comes before it (tokens, positions) is the student's
    own (section 3.2). It runs in eval mode and gets no gradient.

    Args:
        mask_ratio: share of tokens hidden; None is what suits the data, at most 0.6 (images in the paper).
        blocks: intervals, rectangles or boxes that the hidden tokens form.
        top_layers: K, layers of the teacher that are averaged; None is two thirds of them (8 of 12 for speech).
        normalise: each layer over a sample's tokens (``instance``, the paper's for speech), over a token's values
            (``layer``, its choice for images and text, where the targets of a short training are mostly one same
            vector for all tokens), or ``none``, the ablation.
        beta: where the loss goes from squared to absolute (2 for images, 4 for text); 0 is squared error.
        head_layers: of the regression head; the paper's has 2 for text.
        momentum: of the teacher at the start. None scales with the data: the teacher remembers half an epoch,
            at most the paper's 1,000 steps (0.999).
        end_momentum: what it rises to, linearly, over the first ``ramp`` of training; None moves it a tenth of
            the distance from 1 that it had (0.999 to 0.9999).
        ramp: see ``end_momentum``; about 0.1 for speech and text in the paper.
    """

    needs = "tokens"
    couples_samples = False
    collapse_hint = (
        "With data2vec this is usually targets that are not normalised, or a learning rate too high"
    )
    encoder: TokenEncoder

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        mask_ratio: float | None = None,
        blocks: int = 4,
        top_layers: int | None = None,
        normalise: str = "instance",
        beta: float = 2.0,
        head_layers: int = 1,
        momentum: float | None = None,
        end_momentum: float | None = None,
        ramp: float = 0.1,
    ) -> None:
        super().__init__(encoder, views)
        encoder = that_drops(encoder, "data2vec")
        self.top = max(1, round(2 / 3 * encoder.depth)) if top_layers is None else top_layers
        if not 1 <= self.top <= encoder.depth:
            raise InputError(f"top_layers is {self.top}; this encoder has 1 to {encoder.depth}")
        self.mask_ratio = min(0.6, encoder.tokenizer.mask_ratio) if mask_ratio is None else mask_ratio
        self.momentum = 0.999 if momentum is None else momentum
        self.end_momentum = 1 - (1 - self.momentum) / 10 if end_momentum is None else end_momentum
        self.blocks, self.normalise, self.beta, self.ramp = blocks, normalise, beta, ramp
        self.head = projector(encoder.dim, encoder.dim, encoder.dim, layers=head_layers, norm="none")
        self.teacher = EMATeacher(encoder, always_eval=True)

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {"momentum": scaled_momentum(samples, batch_size, 1000)}

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        x = views[0].x
        coords, valid = self.encoder.layout(x)
        mask = block_mask(coords, valid, self.mask_ratio, blocks=self.blocks)
        hidden, real = read_hidden(self.encoder, x, mask, valid)
        target, _ = gather_masked(self.targets(x, valid), mask, valid)
        return {"prediction": self.head(hidden), "target": target, "valid": real}

    @torch.no_grad()
    def targets(self, x: Any, valid: Tensor) -> Tensor:
        """``(batch, tokens, dim)``: the mean of the normalised top layers of the teacher (section 3.3)."""
        averaged: Any = self.teacher.module
        layers = feed_forward_outputs(averaged, x)[-self.top :]
        return mean_of_normalised(layers, valid, self.normalise)

    def loss(self, prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        return masked_smooth_l1(prediction, target, valid, beta=self.beta)

    def after_step(self) -> None:
        share = min(1.0, self.progress / self.ramp) if self.ramp else 1.0
        self.teacher.update(self.encoder, self.momentum + share * (self.end_momentum - self.momentum))
        averaged: Any = self.teacher.module
        averaged.tokenizer.load_state_dict(self.encoder.tokenizer.state_dict())
        averaged.positions.load_state_dict(self.encoder.positions.state_dict())
