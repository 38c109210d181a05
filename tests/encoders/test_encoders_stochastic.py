"""The stochastic bottleneck: its divergences, its gradients and its codes."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Categorical, Normal

from anyview.encoders import stochastic
from anyview.encoders.stochastic import StochasticHead, categorical_kl, gaussian_kl
from anyview.errors import InputError

DISTRIBUTIONS = ["gaussian", "bernoulli", "categorical"]


def head(distribution: str, dim: int = 5) -> StochasticHead:
    return StochasticHead(8, dim, distribution, categories=4)


def posterior(distribution: str, p: torch.Tensor):
    if distribution == "gaussian":
        return Normal(p[..., 0], (p[..., 1] / 2).exp())
    return Bernoulli(logits=p[..., 0]) if distribution == "bernoulli" else Categorical(logits=p)


def prior(distribution: str, p: torch.Tensor):
    if distribution == "gaussian":
        return Normal(torch.zeros(p.shape[:-1]), 1.0)
    zero = torch.zeros(p.shape)
    return Bernoulli(logits=zero[..., 0]) if distribution == "bernoulli" else Categorical(logits=zero)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_kl_is_that_of_a_hundred_thousand_samples(distribution: str) -> None:
    network, h = head(distribution), 2 * torch.randn(3, 8)
    p = network.parameters_of(h).detach()
    q, r = posterior(distribution, p), prior(distribution, p)
    z = q.sample(torch.Size([100_000]))
    estimate = (q.log_prob(z) - r.log_prob(z)).sum(-1).mean(0)
    torch.testing.assert_close(network(h).kl.detach(), estimate, rtol=0.01, atol=0.01)


def test_kl_is_zero_at_the_prior_only() -> None:
    zero = torch.zeros(2, 3)
    assert torch.equal(gaussian_kl(zero, zero), torch.zeros(2))
    assert (gaussian_kl(zero + 0.1, zero) > 0).all()
    assert (gaussian_kl(zero, zero - 0.1) > 0).all()
    torch.testing.assert_close(categorical_kl(torch.full((2, 3, 4), 1.7)), torch.zeros(2), atol=1e-6, rtol=0)
    sure = torch.tensor([100.0, 0.0, 0.0, 0.0]).expand(2, 3, 4)
    torch.testing.assert_close(categorical_kl(sure), torch.full((2,), 3 * math.log(4)))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_samples_are_of_the_posterior(distribution: str) -> None:
    network, h = head(distribution).eval(), torch.randn(1, 8)
    q = posterior(distribution, network.parameters_of(h).detach())
    many = network(h.expand(20_000, 8)).sample.detach()
    expected = q.probs.flatten() if distribution == "categorical" else q.mean.flatten()
    torch.testing.assert_close(many.mean(0), expected, atol=0.03, rtol=0)
    if distribution == "gaussian":
        torch.testing.assert_close(many.std(0), q.stddev.flatten(), rtol=0.03, atol=0.0)
    else:
        assert (many.round() - many).abs().max() < 1e-6


def test_features_that_share_a_mean_many_times_their_spread_have_codes_that_differ() -> None:
    network = StochasticHead(32, 64, "bernoulli")
    h = 10.0 + 0.1 * torch.randn(512, 32)
    for _ in range(200):
        network(h)
    ones = network.eval().code(h).double().mean(0)
    assert ((ones > 0.1) & (ones < 0.9)).all()  # no unit says the same of all


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_two_views_have_noise_of_their_own(distribution: str) -> None:
    network, h = head(distribution, 40), torch.randn(1, 8).expand(2, 8)
    one, two = network(h).sample
    assert not torch.equal(one, two)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_gradient_reaches_what_is_below(distribution: str) -> None:
    network, h = head(distribution), torch.randn(6, 8, requires_grad=True)
    (network(h).sample * torch.randn(6, network.outputs)).sum().backward()
    assert h.grad is not None
    assert (h.grad.norm(dim=1) > 0).all()
    assert all(p.grad is not None for p in network.parameters())


def test_without_noise_and_variance_the_sample_is_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    network, h = head("gaussian"), torch.randn(6, 8)
    with torch.no_grad():
        network.linear.weight.unflatten(0, (5, 2))[:, 1] = 0
        network.linear.bias.unflatten(0, (5, 2))[:, 1] = -100
    torch.testing.assert_close(network(h).sample, network.code(h), atol=1e-5, rtol=0)
    monkeypatch.setattr(stochastic, "normal_noise", torch.zeros_like)
    assert torch.equal(network(h).sample, network.code(h))


def test_an_untrained_code_is_not_drowned_in_noise() -> None:
    deviation = (0.5 * head("gaussian").parameters_of(torch.randn(50, 8))[..., 1]).exp().mean()
    assert 0.1 < deviation < 0.2


def test_codes_are_small_whole_numbers() -> None:
    h = torch.randn(50, 8)
    assert head("bernoulli").code(h).unique().tolist() == [0, 1]
    code = head("categorical").code(h)
    assert code.shape == (50, 5)
    assert code.unique().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_half_precision_around_it_does_not_reach_it(distribution: str) -> None:
    network, h = head(distribution), torch.randn(4, 8)
    expected = network.parameters_of(h)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network.parameters_of(h), expected)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="gausian"):
        StochasticHead(8, 4, "gausian")
    for wrong in ({"dim": 0}, {"dim": 4, "categories": 1}, {"dim": 4, "relaxation": 0.0}):
        with pytest.raises(InputError, match="a code has 1 or more units"):
            StochasticHead(8, **wrong)
