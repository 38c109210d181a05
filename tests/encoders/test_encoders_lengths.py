"""Groups of similar length: every sample in one, nothing changed by it, and padding spared."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anyview.encoders import lengths
from anyview.encoders.lengths import by_length, length_groups

many = st.lists(st.integers(0, 300), min_size=1, max_size=120)


def valid_of(length: list[int]) -> torch.Tensor:
    n = torch.tensor(length)
    return torch.arange(max(1, int(n.max()))) < n[:, None]


def computed(length: list[int]) -> int:
    """Tokens that the groups put through a network, padding included."""
    return sum(len(rows) * longest for rows, longest in length_groups(valid_of(length)))


@given(many)
@settings(max_examples=80, deadline=None)
def test_every_sample_is_in_one_group_that_holds_it(length: list[int]):
    groups = length_groups(valid_of(length))
    assert sorted(torch.cat([rows for rows, _ in groups]).tolist()) == list(range(len(length)))
    for rows, longest in groups:
        assert max(length[i] for i in rows.tolist()) <= longest
        assert longest <= max(1, *length)
    assert [n for _, n in groups] == sorted(n for _, n in groups)


@given(many)
@settings(max_examples=80, deadline=None)
def test_groups_never_compute_more_than_padding_to_the_longest(length: list[int]):
    assert computed(length) <= len(length) * max(1, *length)


@given(many, st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_the_result_is_that_of_the_whole_batch(length: list[int], dim: int):
    valid = valid_of(length)
    values = torch.randn(*valid.shape, dim)

    def network(x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Each token meets the mean of its sample's valid ones."""
        mean = (x * v[..., None]).sum(1) / v.sum(1, keepdim=True).clamp(min=1)
        return torch.cat([x, x * mean[:, None]], -1)

    found, expected = by_length(network, values, valid), network(values, valid)
    assert found.shape == expected.shape
    torch.testing.assert_close(found[valid], expected[valid])


def test_gradients_are_those_of_the_whole_batch():
    valid = valid_of([3, 150, 7, 90, 88, 4, 5, 6] * 20)
    layer = torch.nn.Linear(4, 4).double()
    grads = []
    for network in (lambda x: by_length(lambda y, v: layer(y) * v[..., None], x, valid), layer):
        x = torch.ones(*valid.shape, 4, dtype=torch.float64, requires_grad=True)
        layer.zero_grad()
        network(x)[valid].square().sum().backward()
        grads.append((x.grad[valid], layer.weight.grad.clone()))
    for one, two in zip(*grads):
        torch.testing.assert_close(one, two)


def test_a_batch_of_one_length_goes_through_whole():
    seen = []

    def network(x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        seen.append(x.shape)
        return x

    valid = torch.ones(64, 100, dtype=torch.bool)
    by_length(network, torch.randn(64, 100, 2), valid)
    assert seen == [(64, 100, 2)]


def test_columns_that_no_sample_reaches_are_not_computed():
    seen = []

    def network(x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        seen.append(x.shape[1])
        return x

    valid = torch.arange(500) < torch.tensor([[10], [12]])
    assert by_length(network, torch.randn(2, 500, 3), valid).shape == (2, 500, 3)
    assert max(seen) == 12


def test_few_tokens_are_not_cut_into_groups():
    assert len(length_groups(valid_of([1, 10] * 10))) == 1


def test_lengths_count_to_the_last_valid_token():
    valid = torch.zeros(2, 9, dtype=torch.bool)
    valid[0, 6] = True  # a hole before it
    valid[1, :2] = True
    ((rows, longest),) = length_groups(valid)
    assert longest == 7
    assert sorted(rows.tolist()) == [0, 1]


@pytest.mark.parametrize("seed", range(3))
def test_skewed_lengths_are_spared_most_of_their_padding(seed: int):
    g = torch.Generator().manual_seed(seed)
    length = (torch.randn(256, generator=g).mul(0.5).exp() * 20).long().clamp(1, 120).tolist()
    real = sum(length)
    assert computed(length) <= 1.35 * real
    assert len(length) * max(length) >= 2.5 * real
    assert real > lengths.SMALL
