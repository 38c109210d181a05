"""Balanced assignment of samples to prototypes, by optimal transport: of a batch in a few steps, or of a dataset."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.errors import InputError
from anyview.objectives.pairwise import BLOCK, ROWS
from anyview.objectives.precision import full_precision

TURNS = 20  #: of matrix times vector between two in logarithms


@torch.no_grad()
@full_precision
def sinkhorn(
    scores: Float[Tensor, "*views batch prototypes"], epsilon: float = 0.05, iterations: int = 3
) -> Float[Tensor, "*views batch prototypes"]:
    r"""Codes of SwAV (Caron et al. 2020, arXiv:2006.09882, eq. 3 to 5): soft assignments that use prototypes alike.

        max over Q of  Tr(Q^T scores) + epsilon H(Q),   sum_b Q_bk = 1/K,   sum_k Q_bk = 1/B

    whose solution is ``diag(u) exp(scores / epsilon) diag(v)``. ``u`` and ``v`` are found by turns (Sinkhorn and Knopp;
    Cuturi 2013), prototypes first, samples last: after a few turns rows are exact and columns near. Rows are returned
    with the sum 1. Without any turn this is a softmax, and nothing keeps the prototypes alike: the ablation.

    The whole batch must be here: the loop gathers it. Each view is a problem of its own. In logarithms, so that no
    temperature is too low, and a block of samples at a time: besides the codes only ``v`` is held, and ``u`` is made
    anew from it. No gradient.

    Args:
        scores: of samples and prototypes; cosines in SwAV.
        epsilon: how soft; 0.05 in SwAV.
        iterations: turns; 3 in SwAV.

    Raises:
        InputError: for an epsilon that is not above 0.
    """
    if not epsilon > 0:
        raise InputError(f"the epsilon of a transport must be above 0; it is {epsilon:g}")
    rows = max(ROWS, BLOCK // max(1, scores[..., 0, :].numel()))
    potential = scores.new_zeros(*scores.shape[:-2], 1, scores.shape[-1])  # log v, without its constant
    for turn in range(iterations):
        total = torch.full_like(potential, -torch.inf)
        for block in scores.split(rows, -2):
            log_q = block / epsilon + potential
            if turn:
                log_q -= log_q.logsumexp(-1, keepdim=True)
            total = torch.logaddexp(total, log_q.logsumexp(-2, keepdim=True))
        potential = potential - total
    q = torch.empty_like(scores)
    for block, part in zip(scores.split(rows, -2), q.split(rows, -2)):
        part.copy_((block / epsilon + potential).softmax(-1))
    return q


@torch.no_grad()
def transport(
    log_p: Float[Tensor, "samples clusters"],
    sharpness: float = 25.0,
    tolerance: float = 0.01,
    longest: int = 1000,
) -> Float[Tensor, "samples clusters"]:
    r"""The assignment of SeLa (Asano et al. 2020, arXiv:1911.05371, eq. 5 to 7) of a whole dataset.

        min over Q of  <Q, -log P> - (1/l) H(Q),   sum_i Q_ik = 1/K,   sum_k Q_ik = 1/N
        Q = diag(c) P^l diag(r),   c_i <- (1/N) / (P^l r)_i,   r_k <- (1/K) / (c^T P^l)_k

    by turns of matrix times vector, in double precision, until every cluster has its share up to ``tolerance``. Every
    now and then a turn is made in logarithms and both sides are multiplied into the matrix, whose entries would vanish
    otherwise (stabilised scaling, Schmitzer 2019, arXiv:1610.06519). Samples have their share exactly. ``Q.argmax(1)``
    are the labels.

    As ``l`` grows this comes near the best hard assignment, for ``l = 0`` it is uniform. ``samples x clusters`` doubles
    are held.

    Args:
        log_p: logarithms of probabilities.
        sharpness: ``l``; 25 in the paper, 10 for CIFAR.
        tolerance: largest deviation of a cluster's share, relative to 1/K.
        longest: turns at most.
    """
    samples, clusters = log_p.shape
    scaled, f = sharpness * log_p.double(), log_p.new_zeros(clusters, dtype=torch.float64)
    for _ in range(0, longest, TURNS):
        f = math.log(samples / clusters) - (scaled - (scaled + f).logsumexp(1, keepdim=True)).logsumexp(0)
        kernel = (scaled + f).softmax(1)
        r = torch.ones_like(f)
        for _ in range(TURNS):
            c = 1 / (kernel @ r)
            share = clusters / samples * r * (c @ kernel)  # 1 is the right one
            if even := float((share - 1).abs().max()) <= tolerance:
                break
            r = (r / share.clamp(min=1e-9)).clamp(1e-100, 1e100)
        f = f + r.log()
        if even:
            break
    return (scaled + f).softmax(1) / samples
