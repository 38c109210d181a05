"""A linear predictor whose weights are made from what was done: what it predicts cannot ignore it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anyview.errors import InputError


class HyperLinear(nn.Module):
    """``y = W(g) x`` with ``W(g) = sum_k g_k A_k`` (SIE, Garrido et al. 2023, arXiv:2302.10283, section 4.2).

    The hypernetwork is one linear map from ``g`` to the ``outputs x inputs`` weights, and there is no bias in it nor
    in the layer that it makes: with one, a prediction could leave ``g`` aside. ``W`` is never built: each ``A_k``
    meets the whole batch, and the results are weighed.

    Args:
        inputs, outputs: widths of ``x`` and ``y``.
        condition: numbers in ``g``.

    Raises:
        InputError: for a width below 1.
    """

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        if min(inputs, outputs, condition) < 1:
            raise InputError(
                f"widths of a hypernetwork are 1 or more, not {inputs}, {outputs} and {condition}"
            )
        # y is as large as x when g is of length 1
        self.weight = nn.Parameter(torch.randn(condition, outputs, inputs) / inputs**0.5)

    def forward(
        self, x: Float[Tensor, "batch inputs"], g: Float[Tensor, "batch condition"]
    ) -> Float[Tensor, "batch outputs"]:
        y = (x @ self.weight.flatten(0, 1).T).unflatten(1, self.weight.shape[:2])  # of every A_k
        return (g.to(y)[:, :, None] * y).sum(1)


class ConcatPredictor(nn.Module):
    """The usual predictor, to which ``g`` is one more input: two layers with ReLU. It can leave ``g`` aside."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs + condition, inputs), nn.ReLU(), nn.Linear(inputs, outputs)
        )

    def forward(
        self, x: Float[Tensor, "batch inputs"], g: Float[Tensor, "batch condition"]
    ) -> Float[Tensor, "batch outputs"]:
        return self.layers(torch.cat([x, g.to(x)], 1))
