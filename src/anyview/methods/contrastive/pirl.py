"""PIRL: an image and its jigsaw puzzle are both told, in a memory of all images, from others."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.batch_norm import uncounted
from anyview.errors import InputError
from anyview.methods.base import Method
from anyview.objectives.noise import nce
from anyview.register import system
from anyview.targets.memory_bank import MemoryBank, one_each
from anyview.views.base import Views
from anyview.views.image_jigsaw import CELLS


@system(
    "pirl",
    title="Self-Supervised Learning of Pretext-Invariant Representations",
    paper="arXiv:1912.01991",
    year=2020,
    kind="method",
)
class PIRL(Method):
    """Where a pretext task would predict the order of the patches, the representation is made invariant to it: the
    image and its nine patches, in random order, must both find the image's own entry in a memory.

    The network sees each patch alone. Their embeddings are put side by side in the order they come, and a linear
    layer makes one of them. Batch norms of the encoder count whole images alone, which are what it will embed: patches
    have other statistics. The memory has an average of each image's embedding, of whole images only, changed after
    the step. The draw of negatives follows from the step's number, so that all processes agree on it.

    Args:
        out_dim: width of the memory's entries and of all three heads, which are linear.
        temperature: of the similarities.
        lam: weight of the puzzle's term; the image's own has the rest, without which nothing holds the memory. 0
            is NPID, instance discrimination by a memory.
        negatives: entries of other images that are drawn for a step. None is an eighth of the images, 1,024 at least
            and the paper's 32,000 at most.
        contrast: ``nce`` is the paper's, ``info_nce`` a softmax over the same similarities.
        momentum: of the entries.
        samples: number of entries; None is the number of images there are.
    """

    needs = "jigsaw"
    couples_samples = True
    collapse_hint = "With pirl this is usually a learning rate too high or a lam of 1"
    steps: Tensor

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        out_dim: int = 128,
        temperature: float = 0.07,
        lam: float = 0.5,
        negatives: int | None = None,
        contrast: Literal["nce", "info_nce"] = "nce",
        momentum: float = 0.5,
        samples: int | None = None,
    ) -> None:
        super().__init__(encoder, views)
        if not 0 <= lam <= 1:
            raise InputError(f"lam is a share, 0 to 1, not {lam:g}")
        self.temperature, self.lam, self.momentum = temperature, lam, momentum
        self.negatives, self.contrast = 32_000 if negatives is None else negatives, contrast
        self.image_head = nn.Linear(encoder.dim, out_dim)
        self.patch_head = nn.Linear(encoder.dim, out_dim)
        self.puzzle_head = nn.Linear(CELLS**2 * out_dim, out_dim)
        self.bank = MemoryBank(one_each(samples, "pirl"), out_dim)
        self.recent = (
            torch.empty(0, dtype=torch.int64),
            torch.empty(0, out_dim),
        )  # the last step's whole batch
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {"negatives": min(32_000, max(1024, samples // 8)), "samples": samples}

    def puzzle(self, patches: Tensor) -> Tensor:
        """One embedding of the patches ``(batch, 9, channels, patch, patch)`` of each image."""
        with uncounted(self.encoder):
            each = self.patch_head(self.encoder(patches.flatten(0, 1)))
        return self.puzzle_head(each.unflatten(0, (len(patches), -1)).flatten(1))

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        image, puzzle = views
        return {
            "image": self.image_head(self.encoder(image.x))[None],
            "puzzle": self.puzzle(puzzle.x)[None],
            "index": image.index[None],
        }

    def loss(self, image: Tensor, puzzle: Tensor, index: Tensor) -> dict[str, Tensor]:
        samples = index[0]
        self.recent = (samples, image[0].detach())
        drawn = self.bank.draw(self.negatives, int(self.steps))
        same = samples[:, None] == drawn
        own = torch.where(same.any(1), same.int().argmax(1), -1)
        key, negatives = self.bank.entries(samples), self.bank.values[drawn]
        terms = {
            name: nce(z[0], key, negatives, own, self.temperature, self.contrast == "nce")
            for name, z in (("puzzle", puzzle), ("image", image))
        }
        return {"puzzle": self.lam * terms["puzzle"], "image": (1 - self.lam) * terms["image"]}

    def after_step(self) -> None:
        self.bank.update(*self.recent, self.momentum)
        self.steps += 1
