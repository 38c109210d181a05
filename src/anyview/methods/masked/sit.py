"""SiT: mend what was corrupted, and know the sample by what a slower copy says of it uncorrupted."""

import torch
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders import heads
from anyview.encoders.base import Encoder, Tokens
from anyview.encoders.feature_map import MapEncoder
from anyview.encoders.token_encoder import TokenEncoder
from anyview.errors import InputError, unknown
from anyview.methods.projected import Taught
from anyview.objectives.queries import in_batch_info_nce
from anyview.objectives.reconstruction import masked_reconstruction
from anyview.objectives.weighting import uncertainty_weighted
from anyview.register import system
from anyview.targets.ema import EMATeacher
from anyview.views.base import Views
from anyview.views.corruption import Corrupted

WEIGHTINGS = ("fixed", "uncertainty")


@system(
    "sit",
    title="SiT: Self-supervised vIsion Transformer",
    paper="arXiv:2104.03602",
    year=2021,
    kind="method",
    modalities=("image",),
)
class SiT(Taught):
    """Blocks of two crops are corrupted by noise or by another image. From all tokens, a light head rebuilds the
    pixels (L1 on altered ones); a projection of each crop must find, among those of the batch, what the teacher
    says of the other crop uncorrupted. This is the paper's later version: the first had no teacher, told rotations
    besides, and learned the weights of its losses.

    The head is three linear layers with GELU and one to the pixels of a token. Any encoder of images may stand
    under it: of a convolutional one the tokens are the cells of its last map.

    Args:
        drop: share of an image that noise replaces.
        replace: share that another image of the batch replaces.
        lambd: weight of the reconstruction; 5 in the paper for small data. 0 leaves it out.
        contrast: weight of the contrast; 0 leaves it out.
        weighting: ``fixed``, or ``uncertainty``: both weights are also learned, as in the first version.
        hidden_dim: width of the projector inside; None is twice the encoder's width, but 512 at least.
        out_dim: width of what is contrasted.
        temperature: of the contrast.
        momentum: of the teacher at the start; it rises to 1 along a cosine. None scales with the data: it
            remembers half an epoch, at most the paper's 250 steps (0.996).
    """

    needs = "two_views"
    couples_samples = True
    view_defaults = {"crop_scale": (0.2, 1.0)}
    collapse_hint = "With sit this is usually a contrast too weak beside the reconstruction, or a small batch"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        drop: float = 0.5,
        replace: float = 0.3,
        lambd: float = 1.0,
        contrast: float = 1.0,
        weighting: str = "fixed",
        hidden_dim: int | None = None,
        out_dim: int = 256,
        temperature: float = 0.2,
        momentum: float | None = None,
    ) -> None:
        cell = encoder.tokenizer.patch if isinstance(encoder, TokenEncoder) else getattr(encoder, "stride", 0)
        if not isinstance(cell, int) or cell < 1:
            raise InputError(
                "sit corrupts images in square cells; take an encoder of images, such as vit-nano"
            )
        super().__init__(encoder, Corrupted(views, cell, drop, replace))
        if weighting not in WEIGHTINGS:
            raise unknown("weighting", weighting, WEIGHTINGS)
        if weighting == "uncertainty" and not (lambd and contrast):
            raise InputError("sit weighs two losses by uncertainty; lambd and contrast must both be above 0")
        self.lambd, self.contrast, self.temperature = lambd, contrast, temperature
        self.log_scale = nn.Parameter(torch.zeros(2)) if weighting == "uncertainty" else None
        self.momentum = 0.996 if momentum is None else momentum
        dim, hidden = encoder.dim, hidden_dim or max(512, 2 * encoder.dim)
        layers = [layer for _ in range(3) for layer in (nn.Linear(dim, dim), nn.GELU())]
        self.decoder = nn.Sequential(*layers, nn.Linear(dim, encoder.target_size))
        self.projector = heads.projector(dim, hidden, out_dim, layers=3, last_norm=True, last_affine=False)
        self.teacher = EMATeacher(self.averaged())

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        clean, corrupted = views[: len(views) // 2], views[len(views) // 2 :]
        vector, tokens = zip(*(self.read(view.x) for view in corrupted))
        learned = {} if self.log_scale is None else {"log_scale": self.log_scale.expand(2, len(views[0]), 2)}
        return {
            "query": torch.stack([self.projector(v) for v in vector]),
            "key": self.encode(clean, self.teacher).flip(0),
            "prediction": torch.stack([self.decoder(t) for t in tokens]),
            "target": torch.stack([self.encoder.targets(view.x).values for view in clean]),
            "altered": torch.stack([view.meta["altered"].long() for view in corrupted]),
        } | learned

    def read(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Vector and tokens, of one pass where the vector is the mean of the tokens."""
        if isinstance(self.encoder, TokenEncoder):
            vector, _, tokens = self.encoder.parts(x)
            return vector, tokens.values
        cells = self.encoder.tokens(x)
        assert isinstance(cells, Tokens)
        pooled = type(self.encoder).forward is MapEncoder.forward
        return cells.values.mean(1) if pooled else self.encoder(x), cells.values

    def loss(
        self,
        query: Tensor,
        key: Tensor,
        prediction: Tensor,
        target: Tensor,
        altered: Tensor,
        log_scale: Tensor | None = None,
    ) -> dict[str, Tensor]:
        ctr = in_batch_info_nce(query, key.detach(), self.temperature)
        flat = [t.flatten(0, 1) for t in (prediction, target, altered)]
        mended = masked_reconstruction(flat[0], flat[1], flat[2].bool(), error="absolute")
        both = 2 * self.temperature * len(query) * ctr  # the sum over the two directions
        terms = {"contrast": self.contrast * both, "reconstruction": self.lambd * mended}
        return terms if log_scale is None else uncertainty_weighted(terms, log_scale.mean((0, 1)))
