"""Random projectors: frozen, standardised, and chosen to differ."""

import torch
from torch import nn

from anyview.targets.random import RandomProjectors, greedy_dpp


def kernel(n=9, dim=6, seed=0):
    x = torch.randn(n, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x = torch.nn.functional.normalize(x, dim=1)
    return x @ x.T + 1e-6 * torch.eye(n, dtype=torch.float64)


def logdet(k, items):
    items = torch.tensor(items)
    return float(torch.logdet(k[items][:, items]))


def test_greedy_adds_the_item_that_raises_the_determinant_most():
    k = kernel()
    chosen: list[int] = []
    for _ in range(4):
        rest = [i for i in range(len(k)) if i not in chosen]
        chosen.append(max(rest, key=lambda i: logdet(k, [*chosen, i])))
    assert greedy_dpp(k, 4).tolist()[1:] == chosen[1:] or set(greedy_dpp(k, 4).tolist()) == set(chosen)


def test_the_chosen_are_above_a_hundred_random_sets():
    k = kernel(n=60, dim=20)
    found = greedy_dpp(k, 6).tolist()
    assert len(set(found)) == 6
    draw = torch.Generator().manual_seed(1)
    others = [logdet(k, torch.randperm(60, generator=draw)[:6].tolist()) for _ in range(100)]
    assert logdet(k, found) > max(others)


def test_copies_are_not_taken_before_something_new():
    x = torch.eye(4, dtype=torch.float64)[[0, 0, 0, 1, 2]]
    assert {int(i) for i in greedy_dpp(x @ x.T, 3)} >= {3, 4}


def projectors(count=3):
    torch.manual_seed(0)
    return RandomProjectors(
        lambda: nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4)), count, 4
    )


def test_targets_are_standardised_over_what_they_were_shown():
    p, x = projectors(), torch.randn(200, 5)
    p.choose(x, 12)
    y = p(x)
    assert y.shape == (3, 200, 4)
    torch.testing.assert_close(y.mean(1), torch.zeros(3, 4), atol=1e-4, rtol=0)
    torch.testing.assert_close(y.std(1, correction=0), torch.ones(3, 4), atol=1e-3, rtol=0)


def test_nothing_trains_and_nothing_moves_in_training_mode():
    p, x = projectors(), torch.randn(50, 5)
    p.choose(x, 6)
    before = {k: v.clone() for k, v in p.state_dict().items()}
    p.train()
    assert not p.networks.training
    assert not any(q.requires_grad for q in p.parameters())
    p(x)
    assert all(torch.equal(v, p.state_dict()[k]) for k, v in before.items())


def test_the_state_holds_the_choice():
    first, second, x = projectors(), projectors(), torch.randn(50, 5)
    first.choose(x, 12)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x), second(x))


def test_an_output_that_never_changes_stays_finite():
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(5, 2)

        def forward(self, x):
            return torch.cat([self.linear(x), torch.ones(len(x), 1)], 1)

    p, x = RandomProjectors(Half, 2, 3), torch.randn(20, 5)
    p.choose(x, 4)
    assert p(x).isfinite().all()
    assert not p(x)[..., 2].any()
