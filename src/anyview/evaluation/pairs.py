"""Protocols of pairs, which fit nothing: similarity against people's scores, retrieval, classes by their names."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.metrics import spearman
from anyview.evaluation.result import Figure, Result

RECALLS = (1, 5, 10)
BLOCK = 2**24  #: similarities held at a time (64 MB)
TIE = 1e-6  #: cosines in float32 that differ by less are equal

PAIRED = ("sts", "retrieval", "zeroshot")  #: names of these protocols


@dataclass(frozen=True)
class Sides:
    """Embeddings of the two sides of pairs, in the same order."""

    first: Float[Tensor, "pairs dim"]
    second: Float[Tensor, "pairs dim"]


def sts(
    representations: Mapping[str, Sides], score: Shaped[Tensor, "pairs"] | None, seed: int = 0
) -> list[Result]:
    """Spearman correlation of the cosine of each pair with the score that people gave it.

    The protocol of SentEval and MTEB for semantic textual similarity. Pairs without score (NaN, or below 0
    where scores are whole numbers) are left out.

    Raises:
        InputError: no scores, fewer than two pairs with a score, or scores that are all the same.
    """
    if score is None:
        raise InputError("sts needs a score for each pair; name their column with --label.")
    known = score.isfinite() if score.is_floating_point() else score >= 0
    score = score[known]
    if len(score) < 2 or (score == score[0]).all():
        raise InputError(
            f"sts needs pairs with different scores; {len(score)} of {len(known)} test pairs have one"
            f"{', all the same' if len(score) > 1 else ''}. Name another column with --label."
        )
    figures = {}
    for name, sides in _finite(representations).items():
        cosine = F.cosine_similarity(sides.first[known], sides.second[known])
        figures[name] = Figure.resampled(spearman, cosine.cpu(), score.to(cosine).cpu(), seed=seed)
    return [Result("sts", "spearman", "test", figures)]


def retrieval(
    representations: Mapping[str, Sides], names: tuple[str, str] = ("first", "second"), seed: int = 0
) -> list[Result]:
    """How often the other side of a pair is among the nearest by cosine of all other sides, both ways.

    Rows of recall at 1, 5 and 10 (where there are more candidates than that), and of the median rank. A tie
    counts as the mean of the ranks it covers, so an embedding that is the same for all finds nothing.

    Raises:
        InputError: fewer than two pairs.
    """
    representations = _finite(representations)
    ways = [("-".join(names), False), ("-".join(reversed(names)), True)]
    results = []
    for way, back in ways:
        found = {n: rank_of_other(*_turned(sides, back)) for n, sides in representations.items()}
        count = len(next(iter(found.values()), ()))
        if count < 2:
            raise InputError(f"retrieval needs two pairs or more to find one among; test has {count}.")
        for k in (k for k in RECALLS if k < count):
            figures = {name: Figure.bootstrap(rank <= k, seed) for name, rank in found.items()}
            results.append(Result(f"retrieval-{way}", f"recall@{k}", "test", figures))
        figures = {name: Figure.resampled(_median, rank, seed=seed) for name, rank in found.items()}
        results.append(Result(f"retrieval-{way}", "median rank", "test", figures))
    return results


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


def zeroshot(
    representations: Mapping[str, tuple[Float[Tensor, "samples dim"], Float[Tensor, "classes dim"]]],
    label: Int[Tensor, "samples"],
    seed: int = 0,
) -> list[Result]:
    """Accuracy of the class whose name is nearest by cosine (CLIP, arXiv:2103.00020, section 3.1).

    Args:
        representations: name -> embeddings of the samples and of the names of the classes, in their order.
        label: number of each sample's class, below 0 where unknown. Names that are tied with the nearest one
            share its vote: the sample is right by chance among them.

    Raises:
        InputError: no sample has a label, or there are fewer than two classes.
    """
    known = label >= 0
    classes = {len(names) for _, names in representations.values()}
    if not known.any() or min(classes, default=0) < 2:
        raise InputError(
            f"zeroshot needs two named classes or more and labelled test samples; {int(known.sum())} of "
            f"{len(label)} samples have a label, of {min(classes, default=0)} classes."
        )
    figures = {}
    for name, (x, words) in representations.items():
        similarity = F.normalize(x[known], dim=1) @ F.normalize(words, dim=1).T
        nearest = similarity >= similarity.amax(1, keepdim=True) - TIE
        share = nearest.gather(1, label[known][:, None])[:, 0] / nearest.sum(1)
        figures[name] = Figure.bootstrap(share, seed)
    return [Result("zeroshot", "accuracy", "test", figures)]


def compared(sides: Sides) -> Float[Tensor, "pairs features"]:
    """Features of pairs for classification (SentEval): their absolute difference beside their product."""
    return torch.cat([(sides.first - sides.second).abs(), sides.first * sides.second], 1)


def _median(rank: Tensor) -> float:
    return float(rank.quantile(0.5))


def _turned(sides: Sides, back: bool) -> tuple[Tensor, Tensor]:
    return (sides.second, sides.first) if back else (sides.first, sides.second)


def _finite(representations: Mapping[str, Sides]) -> Mapping[str, Sides]:
    """The same; InputError names the representation and the first pair that is not finite."""
    for name, sides in representations.items():
        finite = sides.first.isfinite().all(1) & sides.second.isfinite().all(1)
        if not finite.all():
            row = int((~finite).nonzero()[0])
            raise InputError(
                f'representation "{name}" is not finite (NaN or infinite) in {int((~finite).sum())} of '
                f"{len(finite)} test pairs, first pair {row}. Look at that sample, or at the run's health."
            )
    return representations
