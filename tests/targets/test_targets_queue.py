"""The queue against a plain list."""

import pytest
import torch
from jaxtyping import TypeCheckError

from anyview.errors import InputError
from anyview.targets.queue import Queue, scaled_length


def rows(z):
    return sorted(map(tuple, z.tolist()))


@pytest.mark.parametrize("sizes", [[3, 3, 3, 3], [7], [8, 1], [2, 9, 4], [20, 3], [1] * 15, [0, 5, 0]])
def test_holds_the_last_entries_of_a_list(sizes):
    queue, pushed = Queue(7, 2), []
    assert queue.filled().shape == (0, 2)
    for n in sizes:
        z = torch.randn(n, 2)
        queue.push(z)
        pushed.extend(z)
        expected = torch.stack(pushed[-7:]) if pushed else torch.zeros(0, 2)
        assert len(queue) == len(expected)
        assert rows(queue.filled()) == rows(expected)


def test_entries_carry_no_gradient_and_do_not_follow_their_source():
    queue, z = Queue(4, 2), torch.ones(3, 2, requires_grad=True)
    queue.push(z)
    z.data.zero_()
    assert not queue.filled().requires_grad
    assert (queue.filled() == 1).all()


def test_half_precision_keys_are_taken():
    queue = Queue(4, 2)
    queue.push(torch.ones(2, 2, dtype=torch.bfloat16))
    assert queue.filled().dtype == torch.float32


def test_resume_is_exact():
    queue, other = Queue(5, 2), Queue(5, 2)
    queue.push(torch.randn(8, 2))
    other.load_state_dict(queue.state_dict())
    z = torch.randn(3, 2)
    for q in (queue, other):
        q.push(z)
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in queue.state_dict().items())


def test_nearest_is_by_angle(monkeypatch):
    monkeypatch.setattr("anyview.targets.queue.BLOCK", 10)
    queue, z = Queue(9, 3), torch.randn(2, 5, 3)
    assert torch.equal(queue.nearest(z), z)  # while none is held
    queue.push(torch.randn(6, 3) * torch.rand(6, 1) * 10)
    found = queue.nearest(z)
    for v in range(2):
        for i in range(5):
            cosine = torch.stack([torch.cosine_similarity(z[v, i], entry, dim=0) for entry in queue.filled()])
            assert torch.equal(found[v, i], queue.filled()[cosine.argmax()])


def test_length_is_whole_batches_within_bounds():
    assert scaled_length(8_000, 64, 1 / 8, 65_536) == 960
    assert scaled_length(1_281_167, 256, 1 / 8, 65_536) == 65_536
    assert scaled_length(20, 16, 1 / 8, 65_536) == 16


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="size 0"):
        Queue(0, 4)
    with pytest.raises((TypeCheckError, RuntimeError)):
        Queue(4, 3).push(torch.ones(2, 5))
    with pytest.raises(TypeCheckError):
        Queue(4, 3).push(torch.ones(3))
