"""SimMIM: hide tokens from any encoder, and rebuild them by one linear layer."""

from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.decoder import masked_targets, read_hidden
from anyview.methods.base import Method
from anyview.objectives.reconstruction import masked_reconstruction
from anyview.register import system
from anyview.views.base import Views
from anyview.views.masks import random_mask


@system(
    "simmim",
    title="SimMIM: A Simple Framework for Masked Image Modeling",
    paper="arXiv:2111.09886",
    year=2022,
    kind="method",
)
class SimMIM(Method):
    """Hidden tokens are replaced by a learned vector, the encoder sees all, and a linear head says what stood
    there: L1 on the hidden values alone (section 3). Categories (words, cells) are told by cross-entropy.

    A convolutional encoder has a learned pixel under the hidden cells of its last map instead, and rebuilds
    those pixels. The paper hides patches twice as wide as the network's own; here a hidden piece
    is one token, which on small images is a piece as large.

    Args:
        mask_ratio: share of tokens hidden; None is 0.6 as in the paper, or less where the data has less to
            spare (text, tables).
    """

    needs = "tokens"
    couples_samples = False

    def __init__(self, encoder: Encoder, views: Views, *, mask_ratio: float | None = None) -> None:
        super().__init__(encoder, views)
        most = getattr(getattr(encoder, "tokenizer", None), "mask_ratio", 0.6)
        self.mask_ratio = min(0.6, most) if mask_ratio is None else mask_ratio
        self.head = nn.Linear(encoder.dim, encoder.target_size)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        x = views[0].x
        coords, valid = self.encoder.layout(x)
        mask = random_mask(coords, valid, self.mask_ratio)
        hidden, real = read_hidden(self.encoder, x, mask, valid)
        target, _ = masked_targets(self.encoder.targets(x), mask, valid)
        return {"prediction": self.head(hidden), "target": target, "valid": real}

    def loss(self, prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        if target.ndim < prediction.ndim:
            return masked_reconstruction(prediction, target, valid, kind="categorical")
        return masked_reconstruction(prediction, target, valid, error="absolute")
