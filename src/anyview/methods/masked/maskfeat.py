"""MaskFeat: hide tokens, and tell the orientations of edges that were there."""

from typing import Any

from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.decoder import gather_masked, read_hidden
from anyview.encoders.token_encoder import TokenEncoder, that_drops
from anyview.errors import InputError
from anyview.methods.base import Method
from anyview.objectives.reconstruction import masked_reconstruction
from anyview.register import system
from anyview.targets.hog import hog_of_patches
from anyview.views.base import Views
from anyview.views.masks import block_mask


@system(
    "maskfeat",
    title="Masked Feature Prediction for Self-Supervised Visual Pre-Training",
    paper="arXiv:2112.09133",
    year=2022,
    kind="method",
    modalities=("image",),
)
class MaskFeat(Method):
    """Blocks of patches are replaced by a learned vector; a linear head predicts, for each, the histograms of
    oriented gradients of its cells, by squared error (section 3.1).

    Args:
        mask_ratio: share of patches hidden; 0.4 in the paper.
        blocks: rectangles that they form.
        cell: side of a histogram's cell in pixels; None is half a patch, but 4 at least (8 for the paper's 16),
            as long as that divides it.
        bins: ranges of orientation.
    """

    needs = "tokens"
    couples_samples = False
    encoder: TokenEncoder

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        mask_ratio: float = 0.4,
        blocks: int = 4,
        cell: int | None = None,
        bins: int = 9,
    ) -> None:
        super().__init__(encoder, views)
        tokenizer: Any = that_drops(encoder, "maskfeat").tokenizer
        self.patch = tokenizer.patch
        half = max(4, self.patch // 2)
        self.cell = (half if self.patch % half == 0 else self.patch) if cell is None else cell
        if self.cell < 1 or self.patch % self.cell:
            raise InputError(f"cell is {self.cell}; it must divide the patch, {self.patch} pixels")
        self.mask_ratio, self.blocks, self.bins = mask_ratio, blocks, bins
        size = (self.patch // self.cell) ** 2 * bins * tokenizer.shape[0]
        self.head = nn.Linear(encoder.dim, size)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        x = views[0].x
        coords, valid = self.encoder.layout(x)
        mask = block_mask(coords, valid, self.mask_ratio, blocks=self.blocks)
        hidden, real = read_hidden(self.encoder, x, mask, valid)
        target, _ = gather_masked(self.targets(x), mask, valid)
        return {"prediction": self.head(hidden), "target": target, "valid": real}

    def targets(self, x: Tensor) -> Tensor:
        """``(batch, patches, size)``: the histograms of the cells of each patch."""
        return hog_of_patches(x, self.patch, self.cell, self.bins)

    def loss(self, prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        return masked_reconstruction(prediction, target, valid)
