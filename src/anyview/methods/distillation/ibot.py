"""iBOT: DINO, and say of hidden patches what a slower copy of yourself says, which sees them."""

from typing import Any

import torch
from torch import Tensor, nn

from anyview.data.batch import Batch, payload_cat
from anyview.encoders.base import Encoder
from anyview.encoders.decoder import gather_masked
from anyview.encoders.token_encoder import TokenEncoder, mean_valid, that_drops
from anyview.methods.distillation.dino import DINO, LARGE
from anyview.objectives.distillation import masked_distillation
from anyview.register import system
from anyview.targets.centre import Centre
from anyview.targets.ema import EMATeacher
from anyview.views.base import Views
from anyview.views.masks import some_blocks


@system(
    "ibot",
    title="iBOT: Image BERT Pre-Training with Online Tokenizer",
    paper="arXiv:2111.07832",
    year=2022,
    kind="method",
)
class IBOT(DINO):
    """Blocks of patches of the large crops are hidden from the student, in half of the samples. For each it names the
    prototypes that the teacher names, which sees the whole crop: the teacher is an online tokenizer (section 3.2). To
    this DINO's loss on whole crops is added, for which the student's large crops are the masked ones.

    One head serves crops and patches unless told otherwise. Their centres are two. That of the patches is the mean over
    all patches of a sample, hidden or not, then over samples, as in the official code.

    Args:
        out_dim: prototypes. None is one for 20 samples, from 512 to the paper's 8,192.
        mask_ratio: least and largest share of the patches hidden.
        mask_chance: probability that any are.
        shared_head: one head for crops and patches (section 4.3.2); without, each has its own.
        patch_weight: of the loss on patches; that on crops has 1.
        **options: those of ``DINO``; the patches have the same temperatures.
    """

    encoder_for = "tokens"
    couples_samples = False
    encoder_defaults = {"pool": "cls"}
    collapse_hint = "With ibot this is usually a teacher temperature or a learning rate that is too high"
    encoder: TokenEncoder

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        out_dim: int | None = None,
        mask_ratio: tuple[float, float] = (0.1, 0.5),
        mask_chance: float = 0.5,
        shared_head: bool = True,
        patch_weight: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(that_drops(encoder, "ibot"), views, out_dim=out_dim or 8192, **options)
        self.mask_ratio, self.mask_chance, self.patch_weight = mask_ratio, mask_chance, patch_weight
        self.patch_head = self.head if shared_head else self.new_head()
        self.patch_centre = Centre(out_dim or 8192, self.centre.momentum)
        self.teacher = EMATeacher(self.averaged())

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return super().scaled(samples, batch_size) | {"out_dim": min(8192, max(512, samples // 20))}

    def averaged(self) -> nn.Module:
        return nn.ModuleList([self.encoder, self.head, self.patch_head])

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        large, small = payload_cat([view.x for view in views[:LARGE]]), views[LARGE:]
        coords, valid = self.encoder.layout(large)
        mask = some_blocks(coords, valid, self.mask_ratio, self.mask_chance)
        with torch.no_grad():
            averaged: Any = self.teacher.module
            encoder, head, patch_head = averaged
            vector, _, tokens = encoder.parts(large)
            teacher, seen = head(vector), patch_head(tokens.values)
        held = self.progress < self.held
        vector, _, tokens = self.encoder.parts(large, mask, masked="replace")
        student = self.head(vector, held).unflatten(0, (LARGE, -1))
        if small:
            student = torch.cat([student, self.encode(small, self.student)])
        hidden, real = gather_masked(tokens.values, mask, valid)
        return {
            "student": student,
            "teacher": teacher.unflatten(0, (LARGE, -1)),
            "patches": self.patch_head(hidden, held),
            "patches_teacher": gather_masked(seen, mask, valid)[0],
            "valid": real,
            "patches_mean": mean_valid(seen, valid),
        }

    def loss(  # type: ignore[override]
        self,
        student: Tensor,
        teacher: Tensor,
        patches: Tensor,
        patches_teacher: Tensor,
        valid: Tensor,
        patches_mean: Tensor,
    ) -> dict[str, Tensor]:
        crops = super().loss(student, teacher)
        assert isinstance(crops, Tensor)
        target = self.patch_centre(patches_teacher, self.sharpness())
        self.patch_centre.note(patches_mean)
        hidden = masked_distillation(patches, target, valid, self.temperature)
        return {"crops": crops, "patches": self.patch_weight * hidden}

    def after_step(self) -> None:
        super().after_step()
        self.patch_centre.update()
