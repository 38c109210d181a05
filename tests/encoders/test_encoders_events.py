"""Event tokens and recurrent networks: padding never counts, time is what it says, masks hide."""

import math

import pytest
import torch

from anyview.data.batch import Ragged
from anyview.encoders import registry
from anyview.encoders.tokenizers import tokenizer
from anyview.errors import InputError

INPUT = {
    "modality": "events",
    "edges": [[-0.5, 0.5], [0.0]],
    "sizes": [5, 4],
    "main": 1,
    "gap": 2.0,
    "dated": True,
    "longest": 64,
}


def histories(lengths=(3, 1, 17, 40, 8), seed: int = 0):
    g = torch.Generator().manual_seed(seed)
    length = torch.tensor(lengths)
    n = int(length.sum())
    time = torch.cat([torch.rand(k, generator=g).cumsum(0) * 9 for k in lengths])
    codes = torch.stack([torch.randint(size, (n,), generator=g) for size in INPUT["sizes"]], 1)
    numeric = torch.randn(n, 2, generator=g)
    numeric[::5, 0] = torch.nan
    leaves = {"time": time, "numeric": numeric, "categorical": codes}
    return {name: Ragged(values, length) for name, values in leaves.items()}


def part(x, index):
    return {name: leaf[torch.tensor(index)] for name, leaf in x.items()}


NETWORKS = [("gru-s", {}), ("gru-s", {"pool": "last", "layers": 2}), ("gru-m", {}), ("transformer-nano", {})]


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_a_history_alone_and_beside_longer_ones_agree(name: str, options: dict) -> None:
    encoder, x = registry.build(name, INPUT, **options).eval(), histories()
    z = encoder(x)
    assert z.shape == (5, encoder.dim)
    for i in range(5):
        torch.testing.assert_close(encoder(part(x, [i])), z[i : i + 1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoder(part(x, [3, 0, 4])), z[[3, 0, 4]], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "options"), NETWORKS[:2])
def test_tokens_and_layers_of_a_network_agree_with_it(name: str, options: dict) -> None:
    encoder, x = registry.build(name, INPUT, **options).eval(), histories()
    tokens = encoder.tokens(x)
    assert torch.equal(tokens.valid.sum(1), x["time"].length)
    last = tokens.values[torch.arange(5), x["time"].length - 1]
    mean = (tokens.values * tokens.valid[..., None]).sum(1) / x["time"].length[:, None]
    torch.testing.assert_close(last if options else mean, encoder(x))
    layers = encoder.tokens(x, layers=list(range(encoder.depth + 1)))
    torch.testing.assert_close(encoder.out_norm(layers[-1].values)[tokens.valid], tokens.values[tokens.valid])
    torch.testing.assert_close(layers[0].values, encoder.tokenizer.embed(x).values)
    with pytest.raises(InputError, match="no layer 9"):
        encoder.tokens(x, layers=[9])


def test_dropped_events_are_as_if_they_were_not_there_but_for_time() -> None:
    """The gaps of what stays are those of the whole history: a mask hides events, it does not undo them."""
    encoder, x = registry.build("gru-s", INPUT).eval(), histories((6, 9))
    _, valid = encoder.layout(x)
    mask = valid & (torch.arange(9) % 3 == 1)
    tokens = encoder.tokens(x, mask)
    assert torch.equal(tokens.valid.sum(1), (valid & ~mask).sum(1))
    embedded = encoder.tokenizer.embed(x)
    own = encoder._run(embedded.gather(~mask))[-1]
    torch.testing.assert_close(encoder.out_norm(own)[tokens.valid], tokens.values[tokens.valid])


@pytest.mark.parametrize("masked", ["drop", "replace"])
@pytest.mark.parametrize("name", ["gru-s", "transformer-nano"])
def test_what_is_hidden_does_not_reach_the_tokens(name: str, masked: str) -> None:
    encoder, x = registry.build(name, INPUT).eval(), histories((6, 9))
    _, valid = encoder.layout(x)
    mask = valid & (torch.arange(9) % 3 == 1)
    changed = dict(x)
    codes, flat = x["categorical"].values.clone(), mask[valid]
    codes[flat] = (codes[flat] + 1) % 4
    changed["categorical"] = Ragged(codes, x["categorical"].length)
    one, two = encoder.tokens(x, mask, masked), encoder.tokens(changed, mask, masked)
    assert torch.equal(one.values[one.valid], two.values[two.valid])
    assert not torch.equal(encoder.tokens(x).values, encoder.tokens(changed).values)


def test_a_token_is_the_sum_of_fields_and_time() -> None:
    t, x = tokenizer(INPUT, 8), histories((4, 3))
    values = t.events(x)
    numeric, codes, time = x["numeric"].values, x["categorical"].values, x["time"].values
    for i in range(7):
        gap = 0.0 if i in (0, 4) else float(time[i] - time[i - 1])
        day, week = float(time[i]) % 1 * 2 * math.pi, float(time[i]) % 7 / 7 * 2 * math.pi
        when = [math.log1p(gap / 2), math.sin(day), math.cos(day), math.sin(week), math.cos(week)]
        expected = t.time(torch.tensor(when)) + t.codes[codes[i, 0]] + t.codes[5 + codes[i, 1]]
        for j in range(2):
            number = numeric[i, j]
            expected = expected + (t.missing[j] if number.isnan() else number * t.weight[j])
        torch.testing.assert_close(values[i], expected, atol=1e-4, rtol=1e-4)


def test_steps_that_are_no_dates_have_gaps_alone() -> None:
    t, x = tokenizer(INPUT | {"dated": False}, 8), histories()
    later = dict(x, time=Ragged(x["time"].values + 3, x["time"].length))
    torch.testing.assert_close(t.events(x), t.events(later), atol=1e-5, rtol=1e-4)


def test_targets_are_the_main_field_or_bins_of_the_first_number() -> None:
    x = histories()
    t = tokenizer(INPUT, 8)
    targets, (_, valid) = t.targets(x), t.layout(x)
    assert targets.size == t.target_size == 4
    assert torch.equal(targets.values[valid], x["categorical"].values[:, 1])
    t = tokenizer(INPUT | {"main": None}, 8)
    targets = t.targets(x)
    first = x["numeric"].values[:, 0]
    expected = torch.bucketize(first, torch.tensor([-0.5, 0.5])) + 1
    assert targets.size == 4
    assert torch.equal(targets.values[valid], torch.where(first.isnan(), 0, expected))


def test_a_saved_network_is_the_same(tmp_path) -> None:
    encoder, x = registry.build("gru-s", INPUT, width=16).eval(), histories()
    registry.save(encoder, tmp_path)
    again, _ = registry.load(tmp_path)
    assert torch.equal(again(x), encoder(x))


def test_wrong_options_are_one_line() -> None:
    with pytest.raises(InputError, match='no pool "mena"; did you mean "mean"'):
        registry.build("gru-s", INPUT, pool="mena")
    with pytest.raises(InputError, match="leave patch out"):
        registry.build("transformer-nano", INPUT, patch=2)
