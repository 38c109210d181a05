"""Semantic textual similarity: do embeddings order pairs as people do?"""

import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.metrics import spearman
from anyview.evaluation.protocols.base import PairCase, Protocol, Rows
from anyview.evaluation.result import Figure


class Similarity(Protocol):
    """Spearman correlation of the cosine of each pair with the score that people gave it.

    The protocol of SentEval and MTEB for semantic textual similarity. Pairs without score (NaN, or below 0
    where scores are whole numbers) are left out.

    Raises:
        InputError: no scores, fewer than two pairs with a score, or scores that are all the same.
    """

    name = "sts"
    paired = True

    def answer(self, case: PairCase) -> Float[Tensor, "pairs"]:
        return F.cosine_similarity(case.sides.first, case.sides.second)

    def measure(
        self, answer: Float[Tensor, "pairs"], label: Shaped[Tensor, "pairs"] | None, seed: int
    ) -> Rows:
        if label is None:
            raise InputError("sts needs a score for each pair; name their column with --label.")
        known = label.isfinite() if label.is_floating_point() else label >= 0
        score = label[known].to(answer).cpu()
        if len(score) < 2 or (score == score[0]).all():
            raise InputError(
                f"sts needs pairs with different scores; {len(score)} of {len(known)} test pairs have one"
                f"{', all the same' if len(score) > 1 else ''}. Name another column with --label."
            )
        return {("sts", "spearman"): Figure.resampled(spearman, answer[known].cpu(), score, seed=seed)}


PROTOCOL = Similarity()
