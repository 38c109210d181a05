"""The running mean of a teacher's logits, taken off so that no prototype is everybody's."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anyview.errors import InputError
from anyview.objectives.precision import full_precision


class Centre(nn.Module):
    """Centring and sharpening of DINO (Caron et al. 2021, arXiv:2104.14294, section 3.1 and eq. 4).

        p = softmax((logits - c) / temperature)
        c <- m c + (1 - m) mean(logits)

    Centring alone leads to uniform targets, a low temperature alone to one prototype for all; together neither wins.

    Variants differ in what ``c`` is. Here, as in the official code: the mean of logits as they come, not of
    probabilities and not over the temperature; over all that was noted in a step (every large crop, every sample of
    every process); one centre for all of them; from zero on. A batch is centred by those before it: what it adds
    counts from the next step. iBOT (arXiv:2111.07832) has a second one for patches.

    The loss notes, the loop adds up over processes (``pooled``), ``after_step`` updates.

    Args:
        dim: width of the logits.
        momentum: ``m``; 1 keeps the centre at zero, which is the ablation.
    """

    pooled: ClassVar[tuple[str, ...]] = ("total", "count")
    value: Float[Tensor, "dim"]
    total: Float[Tensor, "dim"]  #: of the logits noted since the last update
    count: Float[Tensor, ""]  #: how many they are

    def __init__(self, dim: int, momentum: float = 0.9) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise InputError(f"the momentum of a centre lies between 0 and 1, not at {momentum:g}")
        self.momentum = momentum
        self.register_buffer("value", torch.zeros(dim))
        self.register_buffer("total", torch.zeros(dim), persistent=False)
        self.register_buffer("count", torch.zeros(()), persistent=False)

    @torch.no_grad()
    @full_precision
    def forward(self, logits: Float[Tensor, "*batch dim"], temperature: float) -> Float[Tensor, "*batch dim"]:
        """Targets: probabilities over the prototypes, without gradient."""
        if not temperature > 0:
            raise InputError(f"temperature must be above 0; it is {temperature:g}")
        return ((logits - self.value.to(logits.dtype)) / temperature).softmax(-1)

    @torch.no_grad()
    def note(self, logits: Float[Tensor, "*batch dim"]) -> None:
        """Adds logits to the mean of this step; not in eval mode, when no step is made."""
        if self.training:
            rows = logits.flatten(0, -2).to(self.total)
            self.total += rows.sum(0)
            self.count += len(rows)

    @torch.no_grad()
    def update(self) -> None:
        """Moves the centre by what was noted, and forgets it."""
        if self.count > 0:
            self.value.lerp_((self.total / self.count).to(self.value), 1 - self.momentum)
            self.total.zero_()
            self.count.zero_()
