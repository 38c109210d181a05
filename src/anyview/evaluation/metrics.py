"""What a figure measures: its name, its direction and unit, and the statistics that need more than a mean."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from scipy.optimize import linear_sum_assignment
from torch import Tensor


@dataclass(frozen=True)
class Metric:
    """How a figure is read.

    Attributes:
        title: its name in tables and sentences.
        higher: whether more is better.
        percent: whether it is a share of 1, shown in percent.
    """

    title: str
    higher: bool = True
    percent: bool = True


METRICS = {
    "auc": Metric("ROC-AUC"),
    "r2": Metric("R²"),
    "rmse": Metric("RMSE", higher=False, percent=False),
    "mse": Metric("MSE", higher=False, percent=False),
    "mae": Metric("MAE", higher=False, percent=False),
    "nmi": Metric("NMI"),
    "ari": Metric("ARI"),
    "map": Metric("mAP"),
    "miou": Metric("mIoU"),
    "ndcg@10": Metric("nDCG@10"),
    "ece": Metric("ECE", higher=False),
    "spearman": Metric("Spearman", percent=False),
    "median rank": Metric("median rank", higher=False, percent=False),
}


def metric(name: str) -> Metric:
    """The metric of this name; one that is not listed, such as ``accuracy`` or ``recall@5``, is a share of 1."""
    return METRICS.get(name) or Metric(name)


def ranks(x: Shaped[Tensor, "n *k"]) -> Float[Tensor, "n *k"]:
    """Ranks along the first axis, from 1, float64; equal values share the mean of theirs."""
    ordered, order = x.sort(0)
    new = torch.ones_like(ordered, dtype=torch.int64)
    new[1:] = (ordered[1:] != ordered[:-1]).long()
    group = new.cumsum(0) - 1
    place = torch.ones_like(group).cumsum(0).double()
    zeros = torch.zeros_like(place)
    total, count = zeros.scatter_add(0, group, place), zeros.scatter_add(0, group, torch.ones_like(place))
    return torch.empty_like(place).scatter_(0, order, (total / count.clamp(min=1)).gather(0, group))


def roc_auc(score: Float[Tensor, "n k"], positive: Bool[Tensor, "n k"]) -> float:
    """Area under the ROC curve by the rank sum (Mann-Whitney), ties counted half: the mean over columns.

    Columns in which all samples, or none, are positive have no curve and are left out; NaN when none is left.
    """
    up = positive.sum(0).double()
    down = len(score) - up
    area = ((ranks(score) * positive).sum(0) - up * (up + 1) / 2) / (up * down)
    return float(area[(up > 0) & (down > 0)].mean())


def spearman(x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> float:
    """Spearman's rank correlation, ties by their mean rank; 0 when one side is constant: it orders nothing."""
    a, b = (r - r.mean() for r in (ranks(x), ranks(y)))
    size = a.norm() * b.norm()
    return float(a @ b / size) if size > 0 else 0.0


def r2(predicted: Float[Tensor, "n"], target: Float[Tensor, "n"]) -> float:
    """Share of the variance of ``target`` that is predicted; NaN when it has none."""
    target, error = target.double(), (predicted - target).double()
    spread = (target - target.mean()).square().sum()
    return float(1 - error.square().sum() / spread) if spread > 0 else float("nan")


def rmse(predicted: Float[Tensor, "n"], target: Float[Tensor, "n"]) -> float:
    """Root mean squared error, in the unit of ``target``."""
    return float((predicted - target).double().square().mean().sqrt())


BINS = 15  #: of confidence


def calibration_error(sure: Float[Tensor, "n"], correct: Bool[Tensor, "n"]) -> float:
    """Expected calibration error: ``sum_b n_b / n |accuracy_b - mean confidence_b|`` over ``BINS`` bins of equal
    width, each without its lower edge (Guo et al., 2017, arXiv:1706.04599, equation 3)."""
    at = (sure.double() * BINS).ceil().long().clamp(1, BINS) - 1
    gap = at.bincount(correct.double() - sure.double(), minlength=BINS)
    return float(gap.abs().sum() / len(sure))


def matched(cluster: Int[Tensor, "n"], label: Int[Tensor, "n"]) -> float:
    """Accuracy when every cluster names a class of its own, so that most samples are right (Hungarian method)."""
    rows, columns = cluster.unique(return_inverse=True)[1], label.unique(return_inverse=True)[1]
    width = int(columns.max()) + 1
    table = (rows * width + columns).bincount(minlength=(int(rows.max()) + 1) * width).view(-1, width)
    return float(table[linear_sum_assignment(table.numpy(), maximize=True)].sum() / len(label))
