"""Votes of neighbours: by a rough look as by an exact one, and the largest by groups as by sorting."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from anyview.evaluation import neighbours
from anyview.evaluation.neighbours import GROUP, Bank, largest, sampled_products

TEMPERATURE = 0.07


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("columns", "k"), [(37, 5), (64 * GROUP, 16), (64 * GROUP + 7, 16), (5000, 20)])
def test_the_largest_are_those_of_topk(columns: int, k: int, dtype: torch.dtype) -> None:
    x = torch.randn(9, columns).to(dtype)
    value, place = largest(x, k)
    assert torch.equal(value, x.topk(k, 1).values)
    assert torch.equal(x.gather(1, place), value)
    assert all(len(row.unique()) == k for row in place)


def test_the_largest_are_found_at_the_end_that_fills_no_group() -> None:
    x = torch.zeros(1, 64 * GROUP + 3)
    x[0, -1], x[0, 0] = 2, 1
    assert largest(x, 2)[1].tolist() == [[64 * GROUP + 2, 0]]


def test_products_are_those_of_the_whole_matrix_at_their_places() -> None:
    x, y = torch.randn(7, 33), torch.randn(50, 33)
    place = torch.stack([torch.randperm(50)[:9].sort().values for _ in x])
    torch.testing.assert_close(sampled_products(x, y, place), (x @ y.T).gather(1, place))


def labelled(
    classes: int, apart: float, bank: int = 2000, queries: int = 300
) -> tuple[Tensor, Tensor, Tensor]:
    """Classes that overlap the more, the less they are ``apart``; bank, its labels, and queries."""
    centre, label = torch.randn(classes, 32), torch.randint(classes, (bank + queries,))
    x = F.normalize(apart * centre[label] + torch.randn(len(label), 32), dim=1)
    return x[:bank], label[:bank], x[bank:]


def two(x: Tensor, label: Tensor, classes: int, patch: pytest.MonkeyPatch) -> tuple[Bank, Bank]:
    """The bank as a processor with bf16 holds it, and as one without."""
    patch.setattr(neighbours, "WORTH", 0)
    made = []
    for able in (True, False):
        patch.setattr(neighbours, "has_bf16", lambda device, able=able: able)
        made.append(Bank(x, label, classes, TEMPERATURE))
    assert [bank.rough is None for bank in made] == [False, True]
    return made[0], made[1]


@pytest.mark.parametrize("ks", [[1], [20], [1, 5, 200]])
@pytest.mark.parametrize("apart", [0.0, 0.3, 2.0])
def test_a_rough_look_names_what_an_exact_one_names(
    apart: float, ks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, label, queries = labelled(7, apart)
    rough, exact = two(x, label, 7, monkeypatch)
    assert torch.equal(rough.vote(queries, ks), exact.vote(queries, ks))


def test_neighbours_too_alike_to_be_told_apart_are_looked_up_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    x = F.normalize(torch.ones(32) + 0.05 * torch.randn(2100, 32), dim=1)
    rough, exact = two(x[:2000], torch.randint(4, (2000,)), 4, monkeypatch)
    near = largest(x[2000:].bfloat16() @ x[:2000].bfloat16().T, 46)[0].float()
    assert float((near[:, 19] - near[:, -1]).median()) < 2**-8  # less than the rounding of one similarity
    expected, asked, search = exact.vote(x[2000:], [20]), [], rough._exactly

    def counted(queries: Tensor, ks: list[int]) -> Tensor:
        asked.append(len(queries))
        return search(queries, ks)

    monkeypatch.setattr(rough, "_exactly", counted)
    assert torch.equal(rough.vote(x[2000:], [20]), expected)
    assert len(asked) == 1  # together, since a product of few costs as much as one of many
    assert asked[0] > 50


def test_of_classes_that_are_apart_hardly_a_query_is_compared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    x, label, queries = labelled(5, 1.0)
    rough, exact = two(x, label, 5, monkeypatch)
    expected, poll, asked = exact.vote(queries, [20]), rough._poll, []

    def counted(similarity: Tensor, *given: Any) -> Tensor:
        asked.append(len(similarity))
        return poll(similarity, *given)

    monkeypatch.setattr(rough, "_poll", counted)
    assert torch.equal(rough.vote(queries, [20]), expected)
    assert sum(asked) < len(queries) / 5


@settings(deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 12),
    st.floats(1e-4, 0.05),
    st.sampled_from(["random", "against"]),
    st.sampled_from([14, 18, 24]),
)
def test_what_is_certain_stands_whatever_the_errors_are(
    seed: int, k: int, error: float, how: str, looked: int
) -> None:
    g = torch.Generator().manual_seed(seed)
    bank = Bank(torch.eye(3), torch.arange(3), 3, TEMPERATURE)
    seen = (torch.rand(64, 24, generator=g) * 0.3 + 0.5).sort(1, descending=True).values
    label = torch.randint(3, seen.shape, generator=g)
    cut, whole = seen[:, :looked], seen[:, looked - 1] < seen[:, k - 1] - 2 * error
    whole |= looked == seen.shape[1]
    winner, sure = bank._certain(cut, torch.full((64, 1), error), label[:, :looked], [k], whole)
    off = torch.rand(seen.shape, generator=g) * 2 - 1
    if how == "against":  # of all that are for the winner less, of all others more
        off = torch.where(label == winner[0][:, None], -1.0, 1.0)
    true, order = (seen + 0.999 * error * off).sort(1, descending=True)
    named = bank._poll(true, label.gather(1, order), [k])
    assert torch.equal(named[0][sure], winner[0][sure])


def test_the_smaller_the_errors_the_more_is_certain() -> None:
    bank = Bank(torch.eye(3), torch.arange(3), 3, TEMPERATURE)
    seen = (torch.rand(500, 24) * 0.3 + 0.5).sort(1, descending=True).values
    label, whole = torch.randint(3, seen.shape), torch.ones(500, dtype=torch.bool)
    shares = [
        float(bank._certain(seen, torch.full((500, 1), error), label, [10], whole)[1].float().mean())
        for error in (1e-5, 1e-3, 1e-2, 1.0)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.95
    assert shares[-1] == 0
