"""Calibration of the linear layer: is it right as often as it is sure?"""

from jaxtyping import Float
from torch import Tensor

from anyview.evaluation.metrics import calibration_error
from anyview.evaluation.protocols.base import Case, Protocol, Rows
from anyview.evaluation.protocols.linear import Linear
from anyview.evaluation.result import Figure


class Calibration(Protocol):
    """Expected calibration error of the probe of ``linear``, whose fit it shares: its probability for the class that
    it names, in 15 bins of equal width, against how often that is right (arXiv:1706.04599, equation 3)."""

    name = "calibration"

    def answer(self, case: Case) -> tuple[Float[Tensor, "samples"], Tensor]:
        """How sure it is, and of what."""
        linear = case.fitted(Linear)
        sure, named = linear.probabilities(case.x).max(1)
        return sure, linear.classes[named]

    def measure(self, answer: tuple[Tensor, Tensor], label: Tensor, seed: int) -> Rows:
        sure, named = answer
        figure = Figure.resampled(calibration_error, sure, named == label, seed=seed, centred=True)
        return {("calibration", "ece"): figure}


PROTOCOL = Calibration()
