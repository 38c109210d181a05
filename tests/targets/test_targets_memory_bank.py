"""The memory against its formula, sample by sample."""

import pytest
import torch
import torch.nn.functional as F

from anyview.errors import InputError
from anyview.targets.memory_bank import MemoryBank, one_each


def test_an_update_moves_its_own_entries_and_no_others():
    bank, index = MemoryBank(9, 4), torch.tensor([7, 2, 0])
    before, z = bank.values.clone(), 5 * torch.randn(3, 4)
    bank.update(index, z, 0.5)
    for i in range(9):
        if i in index:
            new = 0.5 * before[i] + 0.5 * F.normalize(z[index.tolist().index(i)], dim=0)
            torch.testing.assert_close(bank.values[i], new / new.norm())
        else:
            assert torch.equal(bank.values[i], before[i])


def test_entries_have_unit_length_and_no_gradient():
    bank, z = MemoryBank(9, 4), torch.randn(2, 4, requires_grad=True)
    torch.testing.assert_close(bank.values.norm(dim=1), torch.ones(9))
    bank.update(torch.tensor([1, 3]), z, 0.0)
    assert not bank.entries(torch.tensor([1])).requires_grad
    torch.testing.assert_close(bank.entries(torch.tensor([3, 1])), F.normalize(z.detach(), dim=1).flip(0))


def test_draws_are_different_entries_that_follow_from_the_seed():
    bank = MemoryBank(50, 2)
    state = torch.get_rng_state()
    first = bank.draw(20, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert len(first.unique()) == 20
    assert torch.equal(first, bank.draw(20, seed=3))
    assert not torch.equal(first, bank.draw(20, seed=4))
    assert torch.equal(bank.draw(80, seed=3), torch.arange(50))
    counts = torch.stack([bank.draw(10, seed).bincount(minlength=50) for seed in range(400)]).sum(0)
    assert 40 < counts.min() <= counts.max() < 130  # 80 are expected; five deviations


def test_resume_is_exact():
    one, two = MemoryBank(9, 4), MemoryBank(9, 4)
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.values, two.values)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="two samples or more"):
        MemoryBank(1, 4)
    with pytest.raises(InputError, match="sample 9 is beyond the 9"):
        MemoryBank(9, 4).entries(torch.tensor([2, 9]))
    with pytest.raises(InputError, match="diet keeps a vector for each sample"):
        one_each(None, "diet")
