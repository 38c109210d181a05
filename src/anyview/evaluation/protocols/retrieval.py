"""Retrieval of pairs: is the other side of a pair the nearest of all?"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.pairs import BLOCK, TIE
from anyview.evaluation.protocols.base import PairCase, Protocol, Rows
from anyview.evaluation.result import Figure
from anyview.products import quick_products

RECALLS = (1, 5, 10)


class Retrieval(Protocol):
    """How often the other side of a pair is among the nearest by cosine of all other sides, both ways.

    Rows of recall at 1, 5 and 10 (where there are more candidates than that), and of the median rank. A tie
    counts as the mean of the ranks it covers, so an embedding that is the same for all finds nothing. Labels
    are not read.

    Raises:
        InputError: fewer than two pairs.
    """

    name = "retrieval"
    paired = True

    def answer(self, case: PairCase) -> dict[str, Float[Tensor, "pairs"]]:
        first, second = case.sides.first, case.sides.second
        if len(first) < 2:
            raise InputError(
                f"retrieval needs two pairs or more to find one among; test has {len(first)}. "
                "Give more test pairs, or leave out retrieval."
            )
        ways = ("-".join(case.names), "-".join(reversed(case.names)))
        return {ways[0]: rank_of_other(first, second), ways[1]: rank_of_other(second, first)}

    def measure(self, answer: dict[str, Tensor], label: Tensor | None, seed: int) -> Rows:
        rows: Rows = {}
        for way, rank in answer.items():
            for k in (k for k in RECALLS if k < len(rank)):
                rows[f"retrieval-{way}", f"recall@{k}"] = Figure.bootstrap(rank <= k, seed)
            rows[f"retrieval-{way}", "median rank"] = Figure.resampled(_median, rank, seed=seed)
        return rows


@quick_products()
def rank_of_other(
    queries: Float[Tensor, "pairs dim"], candidates: Float[Tensor, "pairs dim"]
) -> Float[Tensor, "pairs"]:
    """Rank from 1 of candidate ``i`` for query ``i`` among all candidates by cosine, float64 on the CPU.

    Candidates that are as near as the right one share the mean of their ranks.
    """
    queries, candidates = F.normalize(queries, dim=1), F.normalize(candidates, dim=1)
    found, start = [], 0
    for block in queries.split(max(1, BLOCK // max(len(candidates), 1))):
        similarity = block @ candidates.T
        right = similarity.diagonal(start)[:, None]
        above = (similarity > right + TIE).sum(1)
        tied = ((similarity - right).abs() <= TIE).sum(1)  # the right one is among them
        found.append((above + (tied + 1) / 2).double().cpu())
        start += len(block)
    return torch.cat(found)


def _median(rank: Tensor) -> float:
    return float(rank.quantile(0.5))


PROTOCOL = Retrieval()
