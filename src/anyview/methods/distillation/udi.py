"""UDI: DINO with a second class token, taught by a mixture of what patches and the whole say."""

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.correspondence import Cut, Gathering, crops, in_crop, one_per_window, pick
from anyview.encoders.token_encoder import TokenEncoder, mean_valid, that_drops
from anyview.errors import InputError
from anyview.methods.distillation.dino import DINO, LARGE
from anyview.objectives.distillation import masked_distillation
from anyview.register import system
from anyview.targets.centre import Centre
from anyview.targets.ema import EMATeacher
from anyview.views.base import Views

WINDOWS = 3, 2  #: sides of the windows that one patch each is drawn from, in large and in small crops


@system(
    "udi",
    title="Unsqueeze [CLS] Bottleneck to Learn Rich Representations",
    paper="arXiv:2407.17671",
    year=2024,
    kind="method",
    modalities=("image",),
)
class UDI(DINO):
    """Three distillations of the same weight by one head (section 3.3): the class token of a crop learns the teacher's
    of another, as in DINO; a second class token learns a target of several modes, ``alpha`` times the mean logits of
    the teacher's patches where the crops overlap plus ``1 - alpha`` times those of its class token, blended as logits
    before centre and temperature, as in the official code; and patches learn the teacher's at the same place of the
    image, between the large crops. A place where crops do not overlap has no loss, and a crop that nowhere overlaps
    the teacher's has a second target equal to the first.

    Which places, is drawn: one patch of every window of the student's crop. The teacher's vector there is interpolated
    between its patches. A vector asks all patches of its crop by one layer of attention before it meets the head; the
    teacher averages that layer too. Each of the three targets has a centre of its own.

    Args:
        alpha: share of the patches in the second token's target.
        patch_weight: of the loss on patches; the others have 1. The three are averaged.
        heads: of the attention that patches ask by; None is one for 64 dimensions, as in the paper.
        out_dim: prototypes. None is one for 20 samples, from 512 to the paper's 65,536.
        **options: those of ``DINO``.
    """

    encoder_for = "tokens"
    couples_samples = False
    encoder_defaults = {"pool": "cls", "registers": 1}
    view_defaults = {"overlap": 0.25}
    collapse_hint = "With udi this is usually a teacher temperature or a learning rate that is too high"
    encoder: TokenEncoder

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        alpha: float = 0.5,
        patch_weight: float = 1.0,
        heads: int | None = None,
        out_dim: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(that_drops(encoder, "udi"), views, out_dim=out_dim, **options)
        if self.encoder.pool != "cls" or self.encoder.extra < 2 or not hasattr(encoder.tokenizer, "patch"):
            raise InputError(
                "udi needs two class tokens beside patches: a vit with pool cls and a register or more"
            )
        if not 0 <= alpha <= 1:
            raise InputError(f"alpha is a share, 0 to 1, not {alpha:g}")
        self.alpha, self.patch_weight = alpha, patch_weight
        self.gathering = Gathering(encoder.dim, heads or (encoder.dim // 64 if encoder.dim % 64 == 0 else 1))
        prototypes, momentum = len(self.centre.value), self.centre.momentum
        self.second_centre, self.patch_centre = Centre(prototypes, momentum), Centre(prototypes, momentum)
        self.teacher = EMATeacher(self.averaged())

    def averaged(self) -> nn.Module:
        return nn.ModuleList([self.encoder, self.head, self.gathering])

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        held = self.progress < self.held
        averaged: Any = self.teacher.module
        encoder, head, gathering = averaged
        cuts = [cut(view) for view in views]
        with torch.no_grad():
            seen = crops(encoder, cuts[:LARGE])
            teacher = head(torch.stack([crop.vector for crop in seen]))
        mine = crops(self.encoder, cuts[:LARGE]) + crops(self.encoder, cuts[LARGE:])
        drawn = [one_per_window(crop.coords, WINDOWS[w >= LARGE]) for w, crop in enumerate(mine)]
        pairs = [(v, w) for v, w in product(range(LARGE), range(len(views))) if v != w]
        where = [in_crop(mine[w].places(drawn[w]), *seen[v].frame) for v, w in pairs]
        with torch.no_grad():
            found = []
            for v, crop in enumerate(seen):  # all that others ask of one crop, together
                at = torch.cat([at for (of, _), (at, _) in zip(pairs, where) if of == v], 1)
                found.append(gathering(crop.between(at), crop.values))
            there = head(torch.cat(found, 1)).split([at.shape[1] for at, _ in where], 1)
            blended = []
            for (v, _), named, (_, inside) in zip(pairs, there, where):
                mean = torch.where(inside.any(1, keepdim=True), mean_valid(named, inside), teacher[v])
                blended.append(self.alpha * mean + (1 - self.alpha) * teacher[v])
        asked = [(pick(mine[w].values, drawn[w]), mine[w].values) for _, w in pairs if w < LARGE]
        patches = torch.cat([self.gathering(*each) for each in asked], 1)
        second = self.head(torch.stack([crop.extra[:, 1] for crop in mine]), held)
        return {
            "student": self.head(torch.stack([crop.vector for crop in mine]), held),
            "teacher": teacher,
            "second": second[[w for _, w in pairs]].transpose(0, 1),
            "second_teacher": torch.stack(blended, 1),
            "patches": self.head(patches, held),
            "patches_teacher": torch.cat([t for t, (_, w) in zip(there, pairs) if w < LARGE], 1),
            "valid": torch.cat([inside for (_, inside), (_, w) in zip(where, pairs) if w < LARGE], 1),
        }

    def loss(  # type: ignore[override]
        self,
        student: Tensor,
        teacher: Tensor,
        second: Tensor,
        second_teacher: Tensor,
        patches: Tensor,
        patches_teacher: Tensor,
        valid: Tensor,
    ) -> dict[str, Tensor]:
        whole = super().loss(student, teacher)
        assert isinstance(whole, Tensor)
        target = self.second_centre(second_teacher, self.sharpness())
        self.second_centre.note(second_teacher)
        every = torch.ones_like(second[..., 0], dtype=torch.bool)
        blend = masked_distillation(second, target, every, self.temperature)
        named = self.patch_centre(patches_teacher, self.sharpness())
        self.patch_centre.note(patches_teacher[valid])
        dense = masked_distillation(patches, named, valid, self.temperature)
        return {"crops": whole / 3, "second": blend / 3, "patches": self.patch_weight * dense / 3}

    def after_step(self) -> None:
        super().after_step()
        self.second_centre.update()
        self.patch_centre.update()


def cut(view: Batch) -> Cut:
    """A crop's pixels, where in the image it was cut, and whether it was mirrored."""
    return view.x, view.meta["box"], view.meta["flip"]
