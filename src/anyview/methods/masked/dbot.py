"""dBOT: rebuild what a frozen network says of the hidden tokens; then be that network, and start again."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders import registry
from anyview.encoders.base import Encoder
from anyview.encoders.decoder import MaskedDecoder, gather_masked
from anyview.encoders.token_encoder import TokenEncoder, that_drops
from anyview.errors import InputError
from anyview.methods.base import Method
from anyview.objectives.regression import masked_smooth_l1
from anyview.register import system
from anyview.targets.ema import EMATeacher
from anyview.views.base import Views
from anyview.views.masks import random_mask


@system(
    "dbot",
    title="Exploring Target Representations for Masked Autoencoders",
    paper="arXiv:2209.03917",
    year=2022,
    kind="method",
)
class DBOT(Method):
    """MAE whose target is the last block's output of a frozen teacher that sees the whole sample, standardised
    over the values of a token. The first teacher is random: the student as it was at the start. At the end of
    each stage the student becomes the teacher, and encoder and decoder are drawn anew (section 3).

    Stages are equal shares of the run, each with a schedule of the learning rate of its own; the optimiser's
    moments stay (both as in the released code). An encoder's class token, where it has one (``encoder.pool=cls``, as
    in the paper), goes through the decoder without a position, and must be the teacher's.

    Args:
        stages: number of teachers; 2 in the paper's schedule for ViT-B.
        teacher_layer: layer of the first, random teacher that gives its targets; None is the last, 0 its
            embedding, a fixed map of each token alone.
        mask_ratio: share of tokens hidden; None is what suits the data (0.75 for images).
        decoder_dim: width of the decoder; None is half the encoder's, at least 64.
        decoder_depth: its layers.
        decoder_heads: its attention heads.
        beta: where the loss goes from squared to absolute.
    """

    needs = "tokens"
    couples_samples = False
    encoder: TokenEncoder
    stage: Tensor
    seed: Tensor

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        stages: int = 2,
        teacher_layer: int | None = None,
        mask_ratio: float | None = None,
        decoder_dim: int | None = None,
        decoder_depth: int = 2,
        decoder_heads: int = 4,
        beta: float = 2.0,
    ) -> None:
        super().__init__(encoder, views)
        encoder = that_drops(encoder, "dbot")
        if stages < 1:
            raise InputError(f"stages is {stages}; dbot has 1 or more")
        self.stages, self.beta = stages, beta
        self.classes = int(encoder.pool == "cls")  # tokens beside the input that are predicted too
        self.mask_ratio = encoder.tokenizer.mask_ratio if mask_ratio is None else mask_ratio
        self.teacher_layer = encoder.depth if teacher_layer is None else teacher_layer
        encoder.check_layers([self.teacher_layer])
        width = decoder_dim or max(64, encoder.dim // 2)
        self.decoder_shape = (encoder.dim, encoder.dim, width, decoder_depth, decoder_heads)
        self.decoder = MaskedDecoder(*self.decoder_shape)
        self.teacher = EMATeacher(encoder, always_eval=True)
        self.register_buffer("stage", torch.zeros((), dtype=torch.long))
        # of the networks drawn later: the same in every process, and after a resume
        self.register_buffer("seed", torch.randint(2**31, ()))

    @property
    def lr_progress(self) -> float:
        return min(1.0, self.progress * self.stages - int(self.stage))

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        x = views[0].x
        coords, valid = self.encoder.layout(x)
        mask = random_mask(coords, valid, self.mask_ratio)
        _, beside, visible = self.encoder.parts(x, mask, masked="drop")
        prediction, predicted = self.decoder(visible, coords, valid, mask, beside[:, : self.classes])
        of_class, of_tokens = self.targets(x).tensor_split([self.classes], 1)
        target = torch.cat([of_class, gather_masked(of_tokens, mask, valid)[0]], 1)
        return {"prediction": prediction, "target": target, "valid": predicted}

    @torch.no_grad()
    def targets(self, x: Any) -> Tensor:
        """``(batch, classes + tokens, dim)``: the teacher's output before its final norm, each token standardised."""
        frozen: Any = self.teacher.module
        layer = self.encoder.depth if int(self.stage) else self.teacher_layer
        _, beside, tokens = frozen.parts(x, layer=layer)
        values = torch.cat([beside[:, : self.classes], tokens.values], 1)
        return F.layer_norm(values, values.shape[-1:], eps=1e-6)

    def loss(self, prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        return masked_smooth_l1(prediction, target, valid, beta=self.beta)

    def after_step(self) -> None:
        if min(int(self.progress * self.stages), self.stages - 1) > int(self.stage):
            self.next_stage()

    def next_stage(self) -> None:
        """The student becomes the teacher and forgets."""
        self.stage += 1
        self.teacher.update(self.encoder, momentum=0.0)
        with torch.random.fork_rng():
            torch.manual_seed(int(self.seed) + int(self.stage))
            new: list[nn.Module] = [
                registry.build(**self.encoder.config),
                MaskedDecoder(*self.decoder_shape),
            ]
        for old, fresh in zip((self.encoder, self.decoder), new):
            old.load_state_dict(fresh.state_dict())
