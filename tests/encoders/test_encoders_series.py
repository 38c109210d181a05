"""Encoders of series: exact on lengths that differ, targets on the series' own scale, masks, configs."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from anyview.data.batch import Ragged
from anyview.encoders import registry
from anyview.encoders.base import Tokens
from anyview.encoders.series_conv import TCN, ResNet1d, ValidGroupNorm
from anyview.encoders.tokenizers.series import SeriesTokenizer, default_patch
from anyview.errors import InputError

INPUT = {"modality": "series", "channels": 2, "length": 40}
NAMES = ["resnet1d-s", "resnet1d-m", "tcn-s", "tcn-m", "patchtst-nano", "transformer-nano"]


def ragged(*lengths: int, channels: int = 2) -> Ragged:
    return Ragged.of([3 * torch.randn(n, channels) + 1 for n in lengths])


def dense(series: Tensor) -> Tensor:
    """A series ``(time, channels)`` as a batch of one."""
    return series.T[None]


@pytest.mark.parametrize("name", NAMES)
def test_padding_never_changes_an_embedding(name: str) -> None:
    encoder = registry.build(name, INPUT).eval()
    x = ragged(1, 2, 3, 7, 16, 17, 40, 129, 5, 33)
    with torch.no_grad():
        together = encoder(x)
        for i, series in enumerate(x.unpack()):
            for alone in (encoder(Ragged.of([series])), encoder(dense(series))):
                assert torch.allclose(alone[0], together[i], atol=1e-5), f"length {len(series)}"


@pytest.mark.parametrize("name", NAMES)
def test_tokens_of_ragged_series_are_those_of_each_alone(name: str) -> None:
    encoder = registry.build(name, INPUT).eval()
    x = ragged(40, 9, 23)
    coords, valid = encoder.layout(x)
    for layer in (0, encoder.depth):
        with torch.no_grad():
            (together,) = encoder.tokens(x, layers=[layer])
            (alone,) = encoder.tokens(dense(x.unpack()[1]), layers=[layer])
        assert torch.allclose(together.values[1][together.valid[1]], alone.values[0], atol=1e-5)
        assert torch.equal(together.coords[1][together.valid[1]], alone.coords[0])
    assert torch.equal(together.coords, coords)
    assert torch.equal(together.valid, valid)


@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_is_built_again_from_its_config(name: str) -> None:
    encoder = registry.build(name, INPUT).eval()
    again = registry.build(**encoder.config)
    again.load_state_dict(encoder.state_dict())
    x = torch.randn(3, 2, 40)
    assert torch.equal(encoder(x), again.eval()(x))
    assert encoder(x).shape == (3, encoder.dim)


@pytest.mark.parametrize("name", ["resnet1d-s", "tcn-s"])
def test_what_a_mask_hides_does_not_matter(name: str) -> None:
    encoder = registry.build(name, INPUT).eval()
    torch.nn.init.normal_(encoder.mask_step)
    x = ragged(40, 22)
    coords, valid = encoder.layout(x)
    mask = (coords[..., 0] >= 2) & (coords[..., 0] < 5) & valid
    step = encoder.strides[-1]
    changed = [series.clone() for series in x.unpack()]
    for series in changed:
        series[2 * step : 5 * step] = 9.0
    one = encoder.tokens(x, mask, masked="replace")
    two = encoder.tokens(Ragged.of(changed), mask, masked="replace")
    assert isinstance(one, Tokens)
    assert isinstance(two, Tokens)
    assert torch.allclose(one.values, two.values, atol=1e-5)
    assert not torch.allclose(encoder.tokens(x).values, one.values, atol=1e-2)
    with pytest.raises(InputError, match="cannot drop"):
        encoder.tokens(x, mask, masked="drop")


@pytest.mark.parametrize("name", ["resnet1d-s", "tcn-s", "transformer-nano", "patchtst-nano"])
def test_level_and_amplitude_are_not_lost(name: str) -> None:
    encoder = registry.build(name, INPUT).eval()
    x = torch.randn(1, 2, 40)
    with torch.no_grad():
        y, louder, higher = encoder(x), encoder(4 * x), encoder(x + 3)
    for other in (louder, higher):
        assert (other - y).norm() > 0.05 * y.norm()


@pytest.mark.parametrize("name", NAMES)
def test_other_channels_are_an_error(name: str) -> None:
    with pytest.raises(InputError, match="expected series of 2 channels, got 3"):
        registry.build(name, INPUT)(torch.randn(2, 3, 40))


def test_group_norm_over_valid_steps_is_the_plain_one_on_each_series_alone() -> None:
    norm = ValidGroupNorm(2, 6)
    torch.nn.init.normal_(norm.weight)
    x, there = torch.randn(3, 6, 10), torch.arange(10) < torch.tensor([[10], [4], [7]])
    y = norm(x, there)
    for i, n in enumerate((10, 4, 7)):
        assert torch.allclose(
            y[i, :, :n], F.group_norm(x[i : i + 1, :, :n], 2, norm.weight, norm.bias)[0], atol=1e-5
        )


def test_the_tcn_sees_as_far_as_its_dilations_reach() -> None:
    net = TCN(1, width=8, dim=8, depth=3).double()
    x = torch.randn(1, 1, 101, dtype=torch.float64, requires_grad=True)
    net.tokens(x).values[0, 50].sum().backward()
    reached = x.grad[0, 0].nonzero()[:, 0]
    reach = 2 * (1 + 2 + 4)  # two convolutions of three steps a block
    assert (int(reached.min()), int(reached.max())) == (50 - reach, 50 + reach)


def test_widths_that_cannot_be_grouped() -> None:
    with pytest.raises(InputError, match="multiple of 8"):
        ResNet1d(1, width=12)
    with pytest.raises(InputError, match="pool"):
        registry.build("tcn-s", INPUT, pool="median")


# ---- tokenizer


@pytest.mark.parametrize("mixed", [True, False])
def test_targets_are_patches_of_the_series_normalised_by_itself(mixed: bool) -> None:
    tokenizer = SeriesTokenizer(2, 24, 5, 16, mixed)
    x = ragged(24, 11)
    targets = tokenizer.targets(x)
    coords, valid = tokenizer.layout(x)
    assert targets.values.shape == (*valid.shape, tokenizer.target_size)
    for i, series in enumerate(x.unpack()):
        normed = (series - series.mean(0)) / (series.var(0, correction=0) + 1e-4).sqrt()
        for token in valid[i].nonzero()[:, 0].tolist():
            place = coords[i, token].long().tolist()
            steps = [min(place[0] * 5 + k, len(series) - 1) for k in range(5)]
            wanted = normed[steps] if mixed else normed[steps, place[1]]
            assert torch.allclose(targets.values[i, token], wanted.flatten(), atol=1e-5)


@pytest.mark.parametrize("mixed", [True, False])
def test_restoring_undoes_the_targets(mixed: bool) -> None:
    tokenizer = SeriesTokenizer(3, 24, 4, 16, mixed)
    x = 5 * torch.randn(2, 3, 24) + 7
    assert torch.allclose(tokenizer.restore(x, tokenizer.targets(x).values), x, atol=1e-4)


def test_targets_do_not_depend_on_scale_and_level() -> None:
    tokenizer = SeriesTokenizer(2, 32, 4, 16)
    x = torch.randn(3, 2, 32)
    assert torch.allclose(tokenizer.targets(x).values, tokenizer.targets(6 * x - 9).values, atol=1e-3)


def test_a_constant_series_is_finite_everywhere() -> None:
    tokenizer = SeriesTokenizer(2, 32, 4, 16)
    x = torch.full((1, 2, 32), 7.0, requires_grad=True)
    assert torch.equal(tokenizer.targets(x).values, torch.zeros(1, 8, 8))
    tokenizer.embed(x).values.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_channels_apart_have_a_token_each() -> None:
    mixed, apart = SeriesTokenizer(3, 32, 8, 16), SeriesTokenizer(3, 32, 8, 16, mixed=False)
    x = torch.randn(2, 3, 32)
    assert mixed.embed(x).values.shape == (2, 4, 16)
    assert apart.embed(x).values.shape == (2, 12, 16)
    assert apart.target_size * 3 == mixed.target_size
    assert apart.layout(x)[0][0, :4].tolist() == [[0, 0], [0, 1], [0, 2], [1, 0]]
    swapped = apart.embed(x[:, [1, 0, 2]]).values  # channels are embedded alike
    assert torch.allclose(swapped[:, [1, 0, 2]], apart.embed(x).values[:, :3], atol=1e-5)


def test_patches_follow_the_length() -> None:
    assert [default_patch(n) for n in (1, 24, 128, 256, 5000)] == [1, 1, 8, 16, 16]
    with pytest.raises(InputError, match="patch 0 cannot be"):
        SeriesTokenizer(1, 10, 0, 8)
    with pytest.raises(InputError, match="series have channels and a length"):
        SeriesTokenizer.of({"channels": 0, "length": 3}, 8, None)
