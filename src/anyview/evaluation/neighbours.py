"""Votes of nearest neighbours on the sphere: quick where a rough look decides, exact where it does not."""

import warnings

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from anyview.products import quick_products
from anyview.training.precision import has_bf16

GROUP = 16  #: columns that are looked through as one, by their largest
BLOCK = 2**24  #: similarities held at a time (64 MB)
WORTH = 2**22  #: numbers in a bank from which a look in bf16 pays


class Bank:
    """Labelled unit vectors whose nearest to a query vote with ``exp(cos / temperature)`` (Wu et al., 2018,
    arXiv:1805.01978, section 3.4).

    Where the processor multiplies bf16 natively, similarities are first taken in bf16. The vectors' distances to
    their rounded selves bound the error of every similarity (Cauchy-Schwarz), so a query's winner stands when no
    similarities within those bounds could make another one win; of other queries the candidates are compared
    again in fp32. What is predicted is what fp32 alone predicts.

    Args:
        x: on the sphere already.
        label: 0 to ``classes - 1``.
        classes: how many there are.
        temperature: the smaller, the more the nearest count.
    """

    def __init__(
        self,
        x: Float[Tensor, "bank features"],
        label: Int[Tensor, "bank"],
        classes: int,
        temperature: float,
    ) -> None:
        self.x, self.label, self.classes, self.temperature = x, label, classes, temperature
        self.rough: Tensor | None = None
        if x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() >= WORTH and has_bf16(x.device):
            self.rough = x.bfloat16()
            self.rounding = float(_rounding(x, self.rough).max())

    @quick_products()
    def vote(self, x: Float[Tensor, "queries features"], ks: list[int]) -> Int[Tensor, "ks queries"]:
        """The label that wins among the ``k`` nearest, for each of ``ks``; one search serves all.

        Args:
            x: on the sphere as well.
            ks: in rising order, each at most as many as the bank has.
        """
        rows = max(1, BLOCK // len(self.x))
        if self.rough is None:
            return torch.cat([self._exactly(block, ks) for block in x.split(rows)], 1)
        found = [self._roughly(block, ks) for block in x.split(rows)]
        winner, known = (torch.cat(parts, -1) for parts in zip(*found))
        # all together: they are few, and a product of few costs as much as one of many
        for at in (~known).nonzero()[:, 0].split(rows):
            winner[:, at] = self._exactly(x[at], ks)
        return winner

    def _exactly(self, x: Tensor, ks: list[int]) -> Int[Tensor, "ks queries"]:
        similarity, near = largest(x @ self.x.T, max(ks))
        return self._poll(similarity, self.label[near], ks)

    def _poll(self, similarity: Tensor, label: Tensor, ks: list[int]) -> Int[Tensor, "ks queries"]:
        """Winners by similarities in falling order."""
        # subtracting the largest leaves the vote as it is and keeps exp finite
        weight = ((similarity - similarity[:, :1]) / self.temperature).exp()
        votes = weight.new_zeros(len(weight), self.classes)
        done, rows = 0, []
        for k in ks:
            votes.scatter_add_(1, label[:, done:k], weight[:, done:k])
            done = k
            rows.append(votes.argmax(1))
        return torch.stack(rows)

    def _roughly(self, x: Tensor, ks: list[int]) -> tuple[Int[Tensor, "ks queries"], Bool[Tensor, "queries"]]:
        """As ``_exactly``, in bf16 as far as that decides, and for which queries the winners are those of fp32."""
        assert self.rough is not None
        rounded = x.bfloat16()
        looked = min(max(ks) + max(ks) // 2 + GROUP, len(self.x))
        similarity, near = largest(rounded @ self.rough.T, looked)
        similarity = similarity.float()
        # of the factors, of the sum (as a dot product in fp32 may err), and of the result, whose bits are eight
        error = _rounding(x, rounded) + self.rounding + x.shape[1] * torch.finfo(x.dtype).eps
        error = (error + 2.0 ** (similarity.abs().amax(1).frexp().exponent - 9))[:, None]
        # the neighbours are among those that were looked at when the last lies beyond the border
        whole = similarity[:, -1] < similarity[:, max(ks) - 1] - 2 * error[:, 0]
        whole |= looked == len(self.x)
        winner, sure = self._certain(similarity, error, self.label[near], ks, whole)
        again = (~sure & whole).nonzero()[:, 0]
        if len(again):
            candidates = near[again].sort(1).values
            similarity, order = sampled_products(x[again], self.x, candidates).topk(max(ks), 1)
            winner[:, again] = self._poll(similarity, self.label[candidates.gather(1, order)], ks)
        return winner, sure | whole

    def _certain(
        self, similarity: Tensor, error: Tensor, label: Tensor, ks: list[int], whole: Tensor
    ) -> tuple[Int[Tensor, "ks queries"], Bool[Tensor, "queries"]]:
        """Winners by similarities of which each may be wrong by ``error``, and for which queries they stand for every
        ``k``: the least that their neighbours can weigh is more than the most of any other class. Where the candidates
        are not the ``whole`` border, any class may have the places on it."""
        top = similarity[:, :1]
        rows, sure = [], torch.ones(len(similarity), dtype=torch.bool)
        for k in ks:
            edge = similarity[:, k - 1 : k]
            inside = similarity > edge + 2 * error  # among the k nearest, whatever the errors are
            border = (similarity >= edge - 2 * error) & ~inside
            places = k - inside.sum(1, keepdim=True)  # that those on the border share
            weight = ((similarity - top) / self.temperature).exp()
            within, mine = self._count(label, weight * inside), self._count(label, border.float())
            others = border.sum(1, keepdim=True) - mine
            fewest = torch.minimum(mine, (places - others).clamp_min(0)) * whole[:, None]
            at_most = torch.where(whole[:, None], torch.minimum(mine, places.float()), places.float())
            factor, last = (error / self.temperature).exp(), ((edge - top) / self.temperature).exp()
            least = within / factor + fewest * last / factor**3
            most = within * factor + at_most * last * factor**3
            value, winner = least.max(1)
            sure &= value > most.scatter(1, winner[:, None], -1.0).amax(1)
            rows.append(winner)
        return torch.stack(rows), sure

    def _count(self, label: Tensor, weight: Tensor) -> Float[Tensor, "queries classes"]:
        return weight.new_zeros(len(weight), self.classes).scatter_add_(1, label, weight)


def _rounding(x: Tensor, rounded: Tensor) -> Float[Tensor, "vectors"]:
    """How far vectors are from their rounded selves, which are at most a little longer than 1."""
    return (x - rounded.float()).norm(dim=1) * 1.01


def sampled_products(
    x: Float[Tensor, "rows features"],
    y: Float[Tensor, "others features"],
    place: Int[Tensor, "rows k"],
) -> Float[Tensor, "rows k"]:
    """Those inner products of ``x`` with ``y`` whose ``place`` in it, rising along a row, is given; no other is
    computed, and nothing of ``y`` is copied."""
    rows, k = place.shape
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        wanted = torch.sparse_csr_tensor(
            torch.arange(0, rows * k + 1, k),
            place.flatten(),
            x.new_ones(rows * k),
            (rows, len(y)),
            check_invariants=False,
        )
    return torch.sparse.sampled_addmm(wanted, x, y.T, beta=0.0).values().view(rows, k)


def largest(
    x: Float[Tensor, "rows columns"], k: int
) -> tuple[Float[Tensor, "rows {k}"], Int[Tensor, "rows {k}"]]:
    """The ``k`` largest of each row in falling order, and where they are, as ``topk`` finds them.

    Of many columns the ``k`` largest lie in the ``k`` groups whose largest are largest; nothing else is sorted.
    """
    groups = x.shape[1] // GROUP
    if x.device.type != "cpu" or groups < 4 * k:
        value, place = x.topk(k, 1)
        return value, place
    grouped = x[:, : groups * GROUP].unflatten(1, (GROUP, groups))
    chosen = grouped.amax(1).topk(k, 1, sorted=False).indices
    first = torch.arange(0, groups * GROUP, groups)
    place = (chosen[:, None] + first[:, None]).flatten(1)
    if rest := x.shape[1] - groups * GROUP:
        beyond = torch.arange(x.shape[1] - rest, x.shape[1]).expand(len(x), rest)
        place = torch.cat([place, beyond], 1)
    value, at = x.gather(1, place).topk(k, 1)
    return value, place.gather(1, at)
