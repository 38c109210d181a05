"""Full fine-tuning: what the weights are worth as a start, when all of them are trained on the labels."""

from jaxtyping import Int
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.protocols.base import Case, Protocol, Rows
from anyview.evaluation.result import Figure
from anyview.training.finetuning import finetune


class FineTune(Protocol):
    """Accuracy of the encoder and a linear head, trained together on train; decay over layers and rate are chosen
    on validation (:func:`anyview.training.finetuning.finetune`). Raw features have no weights and no row.

    Args:
        views: what it is trained on, as methods name their needs.

    Raises:
        InputError: no encoder to train, or pairs.
    """

    def __init__(self, name: str = "finetune", views: str = "tokens") -> None:
        self.name, self.views = name, views

    def answer(self, case: Case) -> Int[Tensor, "samples"] | None:
        if case.model is None:
            return None
        train, validation = case.train.source, case.validation.source
        if train is None or validation is None or case.source is None:
            raise InputError(
                f"{self.name} trains on the samples themselves; give data, not vectors made elsewhere."
            )
        if case.model.pairs(train):
            raise InputError(f"{self.name} needs single samples; these are pairs. Leave out {self.name}.")
        return finetune(case.model, train, validation, case.source, seed=case.seed, views=self.views).argmax(
            1
        )

    def measure(self, answer: Int[Tensor, "samples"], label: Int[Tensor, "samples"], seed: int) -> Rows:
        return {(self.name, "accuracy"): Figure.bootstrap(answer == label, seed)}


PROTOCOL = FineTune()
