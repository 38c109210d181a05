"""Masked reconstruction against loops over tokens, with padding of any content."""

import pytest
import torch
from jaxtyping import TypeCheckError

from anyview.errors import InputError
from anyview.objectives.reconstruction import masked_reconstruction

VALID = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 1]], dtype=torch.bool)


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def loops(prediction, target, valid, error):
    samples = []
    for b in range(len(valid)):
        tokens = [error(prediction[b, k], target[b, k]) for k in range(valid.shape[1]) if valid[b, k]]
        samples.append(sum(tokens) / max(1, len(tokens)))
    return sum(samples) / len(samples)


def squared(p, x):
    return ((p - x) ** 2).sum() / len(x)


def squared_normalised(p, x):
    variance = ((x - x.mean()) ** 2).sum() / (len(x) - 1)
    return squared(p, (x - x.mean()) / torch.sqrt(variance + 1e-6))


def minus_log_probability(p, c):
    return -torch.log(torch.exp(p[c]) / torch.exp(p).sum())


@pytest.mark.parametrize(("normalise", "error"), [(False, squared), (True, squared_normalised)])
def test_continuous_is_the_loops(normalise, error):
    p, x = random(3, 4, 6), 3 + 2 * random(3, 4, 6, seed=1)
    got = masked_reconstruction(p, x, VALID, normalise=normalise)
    torch.testing.assert_close(got, loops(p, x, VALID, error), rtol=1e-12, atol=1e-12)


def test_categorical_is_the_loops():
    p, c = random(3, 4, 6), torch.tensor([[0, 1, 2, 3], [4, 5, 0, 1], [2, 3, 4, 5]])
    got = masked_reconstruction(p, c, VALID, kind="categorical")
    torch.testing.assert_close(got, loops(p, c, VALID, minus_log_probability), rtol=1e-12, atol=1e-12)


def test_with_equal_counts_it_is_the_mean_over_all_masked_tokens():
    p, x = random(3, 4, 6), random(3, 4, 6, seed=1)
    got = masked_reconstruction(p, x, torch.ones(3, 4, dtype=torch.bool))
    torch.testing.assert_close(got, (p - x).square().mean(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["continuous", "categorical"])
def test_padding_is_never_read(kind):
    p, x = random(3, 4, 6), random(3, 4, 6, seed=1)
    target = x if kind == "continuous" else x.argmax(-1)
    clean = masked_reconstruction(p, target, VALID, kind=kind)
    p[~VALID] = torch.nan
    target = target.clone()
    target[~VALID] = torch.nan if kind == "continuous" else -100
    p.requires_grad_()
    got = masked_reconstruction(p, target, VALID, kind=kind)
    torch.testing.assert_close(got, clean, rtol=0, atol=0)
    got.backward()
    assert (p.grad[~VALID] == 0).all()
    assert (p.grad[VALID] != 0).all()


def test_parts_of_a_batch_average_to_the_whole():
    p, x = random(3, 4, 6), random(3, 4, 6, seed=1)
    parts = [masked_reconstruction(p[b : b + 1], x[b : b + 1], VALID[b : b + 1]) for b in range(3)]
    torch.testing.assert_close(sum(parts) / 3, masked_reconstruction(p, x, VALID), rtol=1e-12, atol=1e-12)


def test_normalised_targets_do_not_know_brightness_and_contrast():
    p, x = random(3, 4, 16), random(3, 4, 16, seed=1)
    losses = [masked_reconstruction(p, y, VALID, normalise=True) for y in (x, 7 + 5 * x)]
    torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-5)


def test_limits():
    x = random(3, 4, 6)
    assert masked_reconstruction(x, x, VALID) == 0
    flat = torch.ones(3, 4, 6, dtype=torch.float64)
    assert masked_reconstruction(torch.zeros_like(flat), flat, VALID, normalise=True) == 0
    p = random(3, 4, 6, seed=1).requires_grad_()
    loss = masked_reconstruction(p, x, torch.zeros_like(VALID))
    loss.backward()
    assert loss == 0
    assert (p.grad == 0).all()


def test_gradcheck():
    x, c = random(3, 4, 3, seed=1), torch.zeros(3, 4, dtype=torch.int64)
    p = random(3, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: masked_reconstruction(p, x, VALID, normalise=True), p)
    assert torch.autograd.gradcheck(lambda p: masked_reconstruction(p, c, VALID, kind="categorical"), p)


@pytest.mark.parametrize("kind", ["continuous", "categorical"])
def test_half_precision_is_computed_in_full(kind):
    p, x = random(3, 4, 6).bfloat16().requires_grad_(), random(3, 4, 6, seed=1)
    target = x.bfloat16() if kind == "continuous" else x.argmax(-1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = masked_reconstruction(p, target, VALID, kind=kind)
    exact = target.double() if kind == "continuous" else target
    expected = masked_reconstruction(p.detach().double(), exact, VALID, kind=kind)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=1e-6)
    loss.backward()
    assert p.grad.dtype == torch.bfloat16


def test_bad_input_is_refused():
    p, x, c = random(3, 4, 6), random(3, 4, 6), torch.zeros(3, 4, dtype=torch.int64)
    with pytest.raises(InputError, match="categorical"):
        masked_reconstruction(p, c, VALID, normalise=True, kind="categorical")
    with pytest.raises(InputError, match="two or more"):
        masked_reconstruction(p[..., :1], x[..., :1], VALID, normalise=True)
    for wrong in ((p, x[..., :5], VALID), (p, x, VALID[:, :3]), (p, x, VALID.float())):
        with pytest.raises(TypeCheckError):
            masked_reconstruction(*wrong)


def test_absolute_error_is_the_loops():
    p, x = random(3, 4, 6), random(3, 4, 6, seed=1)
    wanted = loops(p, x, VALID, lambda a, b: sum(abs(u) for u in a - b) / len(a))
    found = masked_reconstruction(p, x, VALID, error="absolute")
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=0)
