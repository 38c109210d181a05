"""Multi-layer probe: what all layers say together, each weighted by how much it helps."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.optimize import minimize
from torch import Tensor

from anyview.data.loader import batches
from anyview.data.source import Source
from anyview.encoders.base import layer_outputs
from anyview.encoders.token_encoder import mean_valid
from anyview.errors import InputError
from anyview.evaluation.features import Labelled
from anyview.evaluation.logistic import SMALL, Affine
from anyview.evaluation.protocols.base import Case, Protocol, Rows
from anyview.evaluation.protocols.linear import Linear
from anyview.evaluation.result import Figure
from anyview.training.model import Model
from anyview.training.precision import pick_device


class WeightedRegression:
    """Multinomial logistic regression on a weighted sum of layers, whose weights are learned with it, as SUPERB's
    frozen protocol does (arXiv:2105.01051, section 3): minimises, over ``W``, ``b`` and ``a``,

        mean cross-entropy(sum_l softmax(a)_l x_l W + b) + l2 / 2 ||W||²

    by L-BFGS from equal weights. It stands in for ``SoftmaxRegression``: what it fits is a linear layer on all layers
    side by side.

    Args:
        x: layer after layer, ``layers`` of one width.
        label: 0 to ``classes - 1``.
    """

    def __init__(
        self, x: Float[Tensor, "samples features"], label: Int[Tensor, "samples"], classes: int, layers: int
    ) -> None:
        x = x.double() if x.numel() <= SMALL else x.float()
        self.x, self.label, self.classes = x.view(len(x), layers, -1), label, classes
        self.solution = torch.zeros(layers + (self.x.shape[2] + 1) * classes, dtype=torch.float64)

    def fit(self, l2: float, tolerance: float = 1e-12) -> Affine:
        """The minimum at this penalty; starts from the last one found."""

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            point = torch.from_numpy(flat).to(self.x.device).requires_grad_(True)
            share, weight, bias = self.parts(point)
            mixed = torch.einsum("nld,l->nd", self.x, share.to(self.x.dtype))
            scores = (mixed @ weight.to(self.x.dtype)).double() + bias
            loss = F.cross_entropy(scores, self.label) + l2 / 2 * weight.square().sum()
            (slope,) = torch.autograd.grad(loss, point)
            return float(loss.detach()), slope.cpu().numpy()

        options = {"maxiter": 500, "ftol": tolerance, "gtol": 1e-6}
        found = minimize(objective, self.solution.numpy(), jac=True, method="L-BFGS-B", options=options)
        self.solution = torch.from_numpy(found.x)
        share, weight, bias = self.parts(self.solution.to(self.x.device))
        return Affine((share[:, None, None] * weight).flatten(0, 1)[None].float(), bias[None].float())

    def parts(self, flat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights of the layers, which add up to 1, ``W`` and ``b``."""
        layers, width = self.x.shape[1:]
        share, weight, bias = flat.split([layers, width * self.classes, self.classes])
        return share.softmax(0), weight.view(width, self.classes), bias


class Weighted(Linear):
    """The choice of ``linear`` for embeddings ``(samples, layers x width)``.

    Args:
        layers: how many there are.
    """

    def __init__(self, train: Labelled, validation: Labelled, seed: int = 0, *, layers: int) -> None:
        self.layers = layers
        super().__init__(train, validation, seed)

    def _problem(self, z: Tensor, label: Tensor) -> WeightedRegression:
        return WeightedRegression(z, label, len(self.classes), self.layers)


class Layers(Protocol):
    """Accuracy of a linear layer on the means over tokens of all layers, weighted and summed; weights and layer are
    learned on train, and the penalty is chosen on validation. Raw features have no layers and no row.

    Raises:
        InputError: no encoder at hand, or layers of several widths, which cannot be summed.
    """

    name = "layers"

    def answer(self, case: Case) -> Int[Tensor, "samples"] | None:
        model = case.model
        if model is None:
            return None
        held = (case.train.source, case.validation.source, case.source)
        sources = [source for source in held if source is not None]
        if len(sources) < len(held):
            raise InputError("layers embeds the samples themselves; give data, not vectors made elsewhere.")
        train, validation, test = (layer_means(model, source) for source in sources)
        fitted = Weighted(
            Labelled(train.flatten(1), case.train.label),
            Labelled(validation.flatten(1), case.validation.label),
            case.seed,
            layers=train.shape[1],
        )
        return fitted(test.flatten(1))[0]

    def measure(self, answer: Int[Tensor, "samples"], label: Int[Tensor, "samples"], seed: int) -> Rows:
        return {("layers", "accuracy"): Figure.bootstrap(answer == label, seed)}


@torch.no_grad()
def layer_means(model: Model, source: Source) -> Float[Tensor, "samples layers width"]:
    """Of every sample and layer, the input embedding among them where there is one, the mean over tokens."""
    place = pick_device("auto")
    encoder, means = model.encoder.to(place).eval(), []
    for batch in batches(source, 256):
        x = model.modality.inputs(batch.to(place).x, model.spec)
        found = [mean_valid(tokens.values, tokens.valid) for tokens in layer_outputs(encoder, x).values()]
        widths = {mean.shape[1] for mean in found}
        if len(widths) > 1:
            raise InputError(
                f"layers sums layers of one width; {encoder.config['name']} has widths "
                f"{', '.join(map(str, sorted(widths)))}. Take a transformer, or leave out layers."
            )
        means.append(torch.stack(found, 1).float().cpu())
    return torch.cat(means)


PROTOCOL = Layers()
