"""Teachers that are an exponential moving average of the student."""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from anyview.data.batch import Ragged, payload_map
from anyview.encoders.base import own

HALF = (torch.float16, torch.bfloat16)


class EMATeacher(nn.Module):
    """A copy of a network that follows it slowly: ``teacher <- m teacher + (1 - m) student``.

    As in Mean Teacher (Tarvainen and Valpola 2017) and BYOL (Grill et al. 2020, arXiv:2006.07733, eq. 1).
    One decision each on what such teachers differ in:

    - *Precision*: at least float32, also beside a half-precision student and when the whole method is cast:
      in bfloat16 a step of ``1 - m = 0.004`` is below half a unit in the last place, and the teacher stalls.
    - *Buffers*: floating buffers (BatchNorm's running statistics) are averaged with the same momentum,
      integer ones (step counts) copied. So the averages belong to the averaged weights.
    - *BatchNorm* normalises by the batch in training mode, as the student does, but a forward pass leaves its
      running statistics alone: they come from the average only. Else they would be moved twice, and by
      however many forward passes a step happens to have (gradient cache, accumulation).
    - *Gradient*: none; ``forward`` runs without, and parameters do not ask for any.

    ``teacher.module`` is the averaged network, for more than its ``forward``.

    Args:
        always_eval: whether it stays in eval mode (no dropout, no stochastic depth) while the student trains.
    """

    def __init__(self, student: nn.Module, always_eval: bool = False) -> None:
        super().__init__()
        self.always_eval = always_eval
        self.module = copy.deepcopy(student).requires_grad_(False)
        super()._apply(_widen)
        for layer in self.module.modules():
            if hasattr(layer, "track_running_stats"):  # every BatchNorm and InstanceNorm
                layer.momentum = 0.0  # type: ignore[assignment]
        self.train(self.module.training)

    def train(self, mode: bool = True) -> "EMATeacher":
        return super().train(mode and not self.always_eval)

    @torch.no_grad()
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged network makes of the input, without gradient, in its own precision."""
        named = {k: payload_map(v, _widen) for k, v in kwargs.items()}
        return self.module(*(payload_map(a, _widen) for a in args), **named)

    @torch.no_grad()
    def update(self, student: nn.Module, momentum: float) -> None:
        """One step towards ``student``, the network this is a copy of. Call it after the optimiser's step.

        Args:
            momentum: 1 leaves the averages as they are, 0 makes them equal to the student.
        """
        mine = [*self.module.parameters(), *self.module.buffers()]
        theirs = [*student.parameters(), *student.buffers()]
        pairs = [(own(t), own(s.detach()).to(own(t))) for t, s in zip(mine, theirs, strict=True)]
        averaged = [(t, s) for t, s in pairs if t.is_floating_point()]
        if averaged:
            torch._foreach_lerp_([t for t, _ in averaged], [s for _, s in averaged], 1 - momentum)
        for t, s in pairs:
            if not t.is_floating_point():
                t.copy_(s)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "EMATeacher":
        """Moves and casts as any module, but never down to half precision (``method.bfloat16()``)."""

        def kept(t: Tensor) -> Tensor:
            moved = fn(t)
            return t.to(moved.device) if moved.dtype in HALF and t.dtype not in HALF else moved

        return super()._apply(kept, recurse)


def momentum_schedule(progress: float, base: float, end: float = 1.0) -> float:
    """The teacher's momentum along a cosine from ``base`` to ``end`` (BYOL, section 3.1).

    ``m = end - (end - base) (cos(pi progress) + 1) / 2``; with ``end = 1`` the paper's
    ``1 - (1 - m0) (cos(pi k / K) + 1) / 2``.

    Args:
        progress: share of the training steps done, 0 to 1; what lies outside is taken to the nearer end.
    """
    progress = min(max(progress, 0.0), 1.0)
    return end - (end - base) * (math.cos(math.pi * progress) + 1) / 2


def scaled_momentum(samples: int, batch_size: int, longest: int = 250, shortest: int = 20) -> float:
    """A teacher's momentum that suits the data: it remembers half an epoch, within bounds.

    Args:
        longest: steps that it remembers at most: 250 is a momentum of 0.996, 1,000 is 0.999.
        shortest: steps that it remembers at least.
    """
    steps = max(1, samples // batch_size)
    return round(1 - 1 / min(longest, max(shortest, steps / 2)), 4)


def _widen(x: Any) -> Any:
    """Tensors and packed sequences in half precision as float32, anything else as it is."""
    if isinstance(x, Ragged):
        return Ragged(_widen(x.values), x.length)
    return x.float() if isinstance(x, Tensor) and x.dtype in HALF else x
