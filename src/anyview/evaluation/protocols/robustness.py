"""Robustness: what is left of the linear layer when test samples are corrupted as no sample of train was."""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from anyview.data.batch import Batch, Payload
from anyview.data.source import Source
from anyview.errors import InputError
from anyview.evaluation.protocols.base import Case, Protocol, Rows
from anyview.evaluation.protocols.linear import Linear
from anyview.evaluation.result import Figure
from anyview.modalities import modality

STRENGTHS = (1, 2, 3, 4, 5)
BLOCK = 256  #: samples corrupted together; batches of multiples of it draw the same noise


class Robustness(Protocol):
    """Accuracy of the probe of ``linear``, fitted to clean embeddings, on corrupted test samples: a row for each
    corruption of the modality, the mean over its strengths (arXiv:1903.12261, section 3).

    The same seed draws the same noise for every representation. Its spread is the sampling error of test.

    Raises:
        InputError: no samples at hand, or a modality that has no corruptions.
    """

    name = "robustness"

    def answer(self, case: Case) -> dict[str, Int[Tensor, "strengths samples"]]:
        source, embed = case.source, case.embed
        if source is None or embed is None:
            raise InputError(
                "robustness corrupts the samples themselves; give data, not vectors made elsewhere."
            )
        corruptions = modality(source.modality).corruptions
        if not corruptions:
            raise InputError(
                f"{source.modality} data have no corruptions to be judged by. Leave out robustness."
            )
        linear = case.fitted(Linear)

        def named(corrupt: Callable[[Payload, int], Payload]) -> Tensor:
            spoilt = [Corrupted(source, corrupt, strength, case.seed) for strength in STRENGTHS]
            return torch.cat([linear(embed(one)) for one in spoilt])

        return {name: named(corrupt) for name, corrupt in corruptions.items()}

    def measure(self, answer: dict[str, Tensor], label: Tensor, seed: int) -> Rows:
        right = {name: predicted.eq(label).double().mean(0) for name, predicted in answer.items()}
        return {(f"robustness-{name}", "accuracy"): Figure.bootstrap(x, seed) for name, x in right.items()}


class Corrupted(Source):
    """The samples of a source, corrupted as they are fetched; what is random follows their places and the seed."""

    def __init__(
        self, inner: Source, corrupt: Callable[[Payload, int], Payload], strength: int, seed: int
    ) -> None:
        super().__init__(inner.modality, inner.spec, len(inner), skipped=inner.skipped)
        self.inner, self.corrupt, self.strength, self.seed = inner, corrupt, strength, seed
        self.in_memory = inner.in_memory

    def fetch(self, index: Int[Tensor, "batch"]) -> Batch:
        batch = self.inner.fetch(index)
        parts = batch.split(BLOCK)
        with torch.random.fork_rng(devices=[]):
            for i, part in enumerate(parts):
                torch.default_generator.manual_seed(self.seed + int(index[i * BLOCK]))
                parts[i] = part.with_x(self.corrupt(part.x, self.strength))
        return Batch.cat(parts)

    def ahead(self, order: Int[Tensor, "samples"]) -> Callable[[Int[Tensor, "batch"]], None]:
        return self.inner.ahead(order)


PROTOCOL = Robustness()
