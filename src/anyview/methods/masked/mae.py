"""MAE: hide most of the sample, encode the rest, rebuild what was hidden."""

import torch
from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.decoder import MaskedDecoder, masked_targets
from anyview.encoders.token_encoder import TokenEncoder, that_drops
from anyview.encoders.tokenizers.image import PatchTokenizer
from anyview.methods.base import Method
from anyview.objectives.reconstruction import masked_reconstruction
from anyview.register import system
from anyview.views.base import Views
from anyview.views.masks import random_mask


@system(
    "mae",
    title="Masked Autoencoders Are Scalable Vision Learners",
    paper="arXiv:2111.06377",
    year=2022,
    kind="method",
)
class MAE(Method):
    """A random share of the tokens is dropped, the encoder sees only the rest, and a narrow decoder rebuilds
    the hidden ones from what it saw and where they were (section 3).

    Args:
        mask_ratio: share of tokens hidden; None is what suits the data (images 0.75, as in the paper; text and
            tables have less to spare).
        decoder_dim: width of the decoder; None is half the encoder's, at least 64.
        decoder_depth: its layers.
        decoder_heads: its attention heads.
        normalise_targets: rebuild each token normalised by its own mean and deviation (table 1d).
    """

    needs = "tokens"
    couples_samples = False
    encoder: TokenEncoder

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        mask_ratio: float | None = None,
        decoder_dim: int | None = None,
        decoder_depth: int = 2,
        decoder_heads: int = 4,
        normalise_targets: bool = True,
    ) -> None:
        super().__init__(encoder, views)
        encoder = that_drops(encoder, "mae")
        self.mask_ratio = encoder.tokenizer.mask_ratio if mask_ratio is None else mask_ratio
        self.normalise_targets = normalise_targets
        self.decoder = MaskedDecoder(
            encoder.dim,
            encoder.tokenizer.target_size,
            dim=decoder_dim or max(64, encoder.dim // 2),
            depth=decoder_depth,
            heads=decoder_heads,
        )

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        x = views[0].x
        coords, valid = self.encoder.layout(x)
        mask = random_mask(coords, valid, self.mask_ratio)
        visible = self.encoder.tokens(x, mask, masked="drop")
        prediction, hidden = self.decoder(visible, coords, valid, mask)
        target, _ = masked_targets(self.encoder.tokenizer.targets(x), mask, valid)
        return {"prediction": prediction, "target": target, "valid": hidden}

    def pictures(self, views: list[Batch]) -> dict[str, Tensor]:
        """What was left visible, and what the decoder made of the rest (undoing the normalisation)."""
        tokenizer, x = self.encoder.tokenizer, views[0].x
        if not isinstance(tokenizer, PatchTokenizer):
            return {}
        coords, valid = self.encoder.layout(x)
        mask = random_mask(coords, valid, self.mask_ratio)
        prediction, _ = self.decoder(self.encoder.tokens(x, mask), coords, valid, mask)
        patches = tokenizer.targets(x).values
        if self.normalise_targets:
            variance, mean = torch.var_mean(patches[mask], dim=-1, keepdim=True)
            prediction = prediction.flatten(0, 1) * (variance + 1e-6).sqrt() + mean
        shown, rebuilt = patches.clone(), patches.clone()
        shown[mask], rebuilt[mask] = 0.0, prediction.reshape(-1, patches.shape[-1])
        height, width = x.shape[2:]
        return {
            "visible": tokenizer.unpatchify(shown, height, width),
            "rebuilt": tokenizer.unpatchify(rebuilt, height, width),
        }

    def loss(self, prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        kind = self.encoder.tokenizer.target_kind
        normalise = self.normalise_targets and kind == "continuous" and target.shape[-1] > 1
        return masked_reconstruction(prediction, target, valid, normalise=normalise, kind=kind)
