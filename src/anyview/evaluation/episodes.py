"""Few-shot episodes: a few classes that pretraining never met, a few samples of each, over and over."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from anyview.errors import InputError, unknown
from anyview.evaluation.logistic import SoftmaxRegression

C = 1.0
BLOCK = 250  #: episodes solved together


@dataclass(frozen=True)
class Episodes:
    """Accuracy, a share of 1, in every episode."""

    accuracy: Float[Tensor, "episodes"]

    @property
    def mean(self) -> float:
        return float(self.accuracy.mean())

    @property
    def interval(self) -> float:
        """Half the width of the 95% interval of the mean."""
        return 1.96 * float(self.accuracy.std()) / math.sqrt(len(self.accuracy))


def episodes(
    x: Float[Tensor, "samples dim"],
    label: Int[Tensor, "samples"],
    *,
    ways: int = 5,
    shots: int = 5,
    queries: int = 15,
    count: int = 3000,
    seed: int = 0,
    by: str = "logistic",
) -> Episodes:
    """A classifier of ``shots`` samples of each of ``ways`` classes, judged on ``queries`` others of each.

    ``logistic``: logistic regression on embeddings of unit length with scikit-learn's C of 1, which is fixed (Lu et
    al. 2022, arXiv:2207.09176, section 4). ``prototypes``: the nearest class mean by squared distance, embeddings as
    they are (Snell et al. 2017, arXiv:1703.05175; Ericsson et al. 2021, arXiv:2011.13377, with 600 episodes). Classes
    and samples are drawn anew in each of ``count`` episodes, the same for every representation.

    Args:
        x: embeddings of classes that were not trained on.
        label: their classes.
        by: ``logistic`` or ``prototypes``.

    Raises:
        InputError: for another classifier, or when there are fewer classes, or samples of one, than an episode takes.
    """
    if by not in ("logistic", "prototypes"):
        raise unknown("classifier", by, ("logistic", "prototypes"))
    if min(ways, shots, queries, count) < 1 or ways < 2 or count < 2:
        raise InputError(
            f"episodes have two ways or more, and at least one shot and query; not {ways}, {shots}, {queries} "
            f"in {count}"
        )
    classes, number, sizes = label.unique(return_inverse=True, return_counts=True)
    each = shots + queries
    if len(classes) < ways or int(sizes.min()) < each:
        raise InputError(
            f"an episode takes {each} samples of {ways} classes; these data have {len(classes)} classes, the "
            f"smallest of {int(sizes.min())}"
        )
    u = F.normalize(x.double(), dim=1) if by == "logistic" else x.double()
    members = torch.full((len(classes), int(sizes.max())), -1)
    for c, size in enumerate(sizes.tolist()):
        members[c, :size] = (number.cpu() == c).nonzero()[:, 0]
    generator = torch.Generator().manual_seed(seed)
    answer = torch.arange(ways).repeat_interleave(queries).to(x.device)
    found = []
    for start in range(0, count, BLOCK):
        n = min(BLOCK, count - start)
        chosen = torch.rand(n, len(classes), generator=generator).topk(ways, dim=1).indices
        held = members[chosen]  # (episodes, ways, members)
        draw = torch.rand(held.shape, generator=generator).masked_fill_(held < 0, -1)
        picked = held.gather(2, draw.topk(each, dim=2).indices).to(x.device)
        train, test = (part.flatten(1) for part in (picked[..., :shots], picked[..., shots:]))
        if by == "prototypes":
            means = u[picked[..., :shots]].mean(2)
            found.append((torch.cdist(u[test], means).argmin(2) == answer).double().mean(1))
            continue
        known = torch.arange(ways, device=x.device).repeat_interleave(shots).expand(n, -1)
        layer = SoftmaxRegression(u[train], known, ways).fit(1 / (C * train.shape[1]))
        scores = torch.baddbmm(layer.bias[:, None], u[test].to(layer.weight), layer.weight)
        found.append((scores.argmax(2) == answer).double().mean(1))
    return Episodes(torch.cat(found).cpu())
