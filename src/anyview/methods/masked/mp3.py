"""MP3: say where each token stood, from what it holds and what some others hold."""

import math

import torch
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder, unused
from anyview.encoders.positions import cell_number
from anyview.encoders.token_encoder import TokenEncoder, that_drops
from anyview.errors import InputError
from anyview.methods.base import Method
from anyview.objectives.reconstruction import masked_reconstruction
from anyview.register import system
from anyview.views.base import Views
from anyview.views.masks import random_mask


@system(
    "mp3",
    title="Position Prediction as an Effective Pretraining Strategy",
    paper="arXiv:2207.07611",
    year=2022,
    kind="method",
    modalities=("image", "audio", "series", "text", "events", "molecule", "video", "volume"),
)
class MP3(Method):
    """Tokens without positions; every one asks, but only a random few, the context, are keys and values. A
    linear head tells the place of each token among all places, context or not (section 3).

    The encoder has no positions afterwards either. Learned tokens beside the input (a class token, registers)
    may be keys: they are the same for every sample and know no place.

    Args:
        mask_ratio: share η of the tokens that are no keys; 0 is plain self-attention.
    """

    needs = "tokens"
    couples_samples = False
    encoder_defaults = {"positions": "none"}
    encoder: TokenEncoder

    def __init__(self, encoder: Encoder, views: Views, *, mask_ratio: float = 0.75) -> None:
        super().__init__(encoder, views)
        encoder = that_drops(encoder, "mp3")
        if encoder.positions.kind != "none":
            raise InputError(
                f"mp3 predicts positions and the encoder is given them ({encoder.positions.kind}); "
                "set encoder.positions to none"
            )
        if not 0 <= mask_ratio < 1:
            raise InputError(f"mask_ratio is {mask_ratio}; it can be 0 up to below 1")
        self.mask_ratio = mask_ratio
        self.extent = encoder.tokenizer.grid
        self.head = nn.Linear(encoder.dim, math.prod(self.extent))

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        tokens = self.encoder.tokenizer.embed(views[0].x)
        keys = tokens.valid
        if self.mask_ratio:
            keys = keys & ~random_mask(tokens.coords, tokens.valid, self.mask_ratio)
        return {
            "prediction": self.head(self.outputs(tokens.values, keys)),
            "target": cell_number(tokens.coords, self.extent),
            "valid": tokens.valid,
        }

    def outputs(self, values: Tensor, keys: Tensor) -> Tensor:
        """The encoder's output for every token when only ``keys`` are attended to."""
        extra = self.encoder.extra
        if extra:
            values = torch.cat([self.encoder.prefix.to(values.dtype).expand(len(values), -1, -1), values], 1)
            keys = torch.cat([keys.new_ones(len(keys), extra), keys], 1)
        y = self.encoder.norm(self.encoder.trunk(values, keys))
        return y[:, extra:] + unused(self.encoder.mask_token)

    def loss(self, prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        return masked_reconstruction(prediction, target, valid, kind="categorical")
