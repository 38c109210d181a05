"""Retrieval of similar samples: are the nearest of a test sample of its class?"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.protocols.base import Case, Protocol, Rows
from anyview.evaluation.result import Figure
from anyview.products import quick_products

RECALLS = (1, 5, 10)
GAIN_AT = 10
BLOCK = 2**22  #: similarities held and sorted at a time (16 MB)


class Similar(Protocol):
    """Every test sample looks for those of its class among all others, by cosine. There is nothing to fit.

    - recall@k: share of samples with one of their class, or more, among the k nearest (arXiv:1511.06452, section 5);
    - mAP: mean over samples of the average precision of the whole ranking;
    - nDCG@10: discounted gain of what is of the class, over the largest that there could be.

    Samples whose class has no other in test are not asked. Candidates that are equally near come in an order drawn
    by the seed, so an embedding that is the same for all finds by chance.

    Raises:
        InputError: no class has two samples in test.
    """

    name = "similar"

    def answer(self, case: Case) -> Float[Tensor, "samples features"]:
        return F.normalize(case.x, dim=1)

    def measure(
        self, answer: Float[Tensor, "samples features"], label: Int[Tensor, "samples"], seed: int
    ) -> Rows:
        draw = torch.randperm(len(label), generator=torch.Generator().manual_seed(seed)).to(answer.device)
        found = ranked_scores(answer[draw], label.to(answer.device)[draw])
        return {("similar", name): Figure.bootstrap(values, seed) for name, values in found.items()}


@quick_products()
def ranked_scores(
    x: Float[Tensor, "samples features"], label: Int[Tensor, "samples"]
) -> dict[str, Float[Tensor, "queries"]]:
    """Every score of every sample that is asked, each against all others, in blocks.

    Args:
        x: embeddings of unit length; of candidates that are equally near, the first comes first.
    """
    counts = label.unique(return_inverse=True, return_counts=True)
    asked = (counts[2][counts[1]] > 1).nonzero()[:, 0]
    if not len(asked):
        raise InputError(
            f"similar needs two test samples of a class; all {len(label)} are of classes of their own. "
            "Give more test samples, or leave out similar."
        )
    parts = []
    for query in asked.split(max(1, BLOCK // len(x))):
        similarity = x[query] @ x.T
        similarity.scatter_(1, query[:, None], -torch.inf)  # a sample does not find itself: it comes last
        order = similarity.sort(dim=1, descending=True, stable=True).indices[:, :-1]
        parts.append(_scores(label[order] == label[query, None]))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _scores(hit: Bool[Tensor, "queries candidates"]) -> dict[str, Float[Tensor, "queries"]]:
    """Scores of rankings, best first, that hold a hit each."""
    place = torch.arange(1, hit.shape[1] + 1, device=hit.device, dtype=torch.float64)
    total = hit.sum(1)
    precision = hit.cumsum(1) / place
    discount = 1 / (place[:GAIN_AT] + 1).log2()
    ideal = discount.cumsum(0)[total.clamp(max=len(discount)) - 1]
    found = {f"recall@{k}": hit[:, :k].any(1).double() for k in RECALLS if k < hit.shape[1]}
    found["map"] = (precision * hit).sum(1) / total
    found[f"ndcg@{GAIN_AT}"] = (hit[:, :GAIN_AT] * discount).sum(1) / ideal
    return found


PROTOCOL = Similar()
