"""CLIP, ALIGN and SigLIP: which caption belongs to which image?"""

import math

import torch
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.errors import InputError
from anyview.methods.base import Method
from anyview.objectives.pairs import pair_nce, pair_sigmoid
from anyview.register import system
from anyview.views.base import Views

MAX_SCALE = 100.0  #: what cosines are multiplied by at most (CLIP, section 2.5), so that it cannot run away


class PairContrast(Method):
    """Both sides of a pair are embedded, and each must find the other. The encoder has a tower for each side
    and a linear map from both into one space, so nothing is thrown away after training.

    Learned numbers of the loss go through ``forward`` as one value a sample: so they are gathered across
    processes and cached with the embeddings, and get the gradient of the whole batch.
    """

    needs = "pair"

    def __init__(self, encoder: Encoder, views: Views, temperature: float) -> None:
        super().__init__(encoder, views)
        if not temperature >= 1 / MAX_SCALE:
            raise InputError(f"temperature is {temperature:g}; it can be {1 / MAX_SCALE:g} or more")
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        z = self.encode(views)
        return {"z": z, "log_scale": self.log_scale.expand(1, z.shape[1])}

    def after_step(self) -> None:
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(MAX_SCALE))


@system(
    "clip",
    title="Learning Transferable Visual Models From Natural Language Supervision",
    paper="arXiv:2103.00020",
    year=2021,
    kind="method",
)
class CLIP(PairContrast):
    """Each image picks its caption among those of the batch, and each caption its image; the mean of the two
    cross-entropies, with a learned temperature (figure 3).

    Args:
        temperature: at the start; it is learned, and 0.01 at least.
    """

    couples_samples = True
    collapse_hint = "With clip this is usually a batch too small or captions that repeat within it"

    def __init__(self, encoder: Encoder, views: Views, *, temperature: float = 0.07) -> None:
        super().__init__(encoder, views, temperature)

    def loss(self, z: Tensor, log_scale: Tensor) -> dict[str, Tensor]:
        terms = pair_nce(z, log_scale.mean().exp())
        return {name: 0.5 * term for name, term in terms.items()}


@system(
    "align",
    title="Scaling Up Visual and Vision-Language Representation Learning With Noisy Text Supervision",
    paper="arXiv:2102.05918",
    year=2021,
    kind="method",
)
class ALIGN(PairContrast):
    """As CLIP, with the sum of the two directions, smoothed targets and a temperature that starts at 1
    (section 4.1): made for captions that are noisy.

    Args:
        temperature: at the start; it is learned, and 0.01 at least.
        smoothing: share of each target that is spread over the batch.
    """

    couples_samples = True

    def __init__(
        self, encoder: Encoder, views: Views, *, temperature: float = 1.0, smoothing: float = 0.1
    ) -> None:
        super().__init__(encoder, views, temperature)
        self.smoothing = smoothing

    def loss(self, z: Tensor, log_scale: Tensor) -> dict[str, Tensor]:
        return pair_nce(z, log_scale.mean().exp(), self.smoothing)


@system(
    "siglip",
    title="Sigmoid Loss for Language Image Pre-Training",
    paper="arXiv:2303.15343",
    year=2023,
    kind="method",
)
class SigLIP(PairContrast):
    """Every image with every caption of the batch: a pair, yes or no? No softmax, so the loss does not hang on
    the size of the batch (section 3.2).

    Args:
        temperature: at the start; one over the learned scale t.
        bias: at the start, learned too: nearly all answers are no. Without it (0) the first steps go into that.
        learn_bias: the switch is the paper's ablation.
    """

    couples_samples = True

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        temperature: float = 0.1,
        bias: float = -10.0,
        learn_bias: bool = True,
    ) -> None:
        super().__init__(encoder, views, temperature)
        self.bias = nn.Parameter(torch.tensor(bias), requires_grad=learn_bias)

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        found = super().forward(views)
        return found | {"bias": self.bias.expand_as(found["log_scale"])}

    def loss(self, z: Tensor, log_scale: Tensor, bias: Tensor) -> Tensor:
        return pair_sigmoid(z, log_scale.mean().exp(), bias.mean())
