"""Tokenizer, positions, trunk and TokenEncoder: masks, padding, pooling."""

import math

import pytest
import torch
from torch import nn

from anyview.data.batch import Ragged
from anyview.encoders import (
    PatchTokenizer,
    Positions,
    TokenEncoder,
    Tokenizer,
    Tokens,
    Trunk,
    patchify,
    sincos,
)
from anyview.encoders.layers import MIXERS
from anyview.encoders.positions import grid
from anyview.encoders.token_encoder import mean_valid
from anyview.errors import InputError


class Steps(Tokenizer):
    """Every step of a ragged series is a token."""

    axes = 1
    grid = (64,)

    def __init__(self, channels: int, dim: int, padding: int = 0) -> None:
        super().__init__()
        self.dim, self.padding = dim, padding
        self.linear = nn.Linear(channels, dim)

    def layout(self, x):
        _, valid = x.padded()
        valid = nn.functional.pad(valid, (0, self.padding))
        return grid((valid.shape[1],)).expand(len(x), -1, -1), valid

    def embed(self, x):
        values, _ = x.padded(fill=3.0)
        values = nn.functional.pad(values, (0, 0, 0, self.padding), value=-5.0)
        return Tokens(self.linear(values), *self.layout(x))


def series_encoder(**options) -> TokenEncoder:
    torch.manual_seed(0)
    return TokenEncoder(Steps(3, 16), depth=2, heads=2, **options).eval()


def image_encoder(**options) -> TokenEncoder:
    torch.manual_seed(0)
    return TokenEncoder(PatchTokenizer((3, 16, 16), 4, 24), depth=2, heads=2, **options).eval()


def test_patches_are_cut_in_reading_order_and_put_together_again():
    tokenizer = PatchTokenizer((2, 6, 9), 3, 8)
    x = torch.arange(2 * 2 * 6 * 9.0).view(2, 2, 6, 9)
    patches = tokenizer.targets(x).values
    assert patches.shape == (2, 6, 18)
    assert tokenizer.target_size == tokenizer.targets(x).size == 18
    coords, valid = tokenizer.layout(x)
    assert valid.all()
    for t, (row, column) in enumerate(coords[0].long().tolist()):
        block = x[1, :, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
        assert torch.equal(patches[1, t].view(3, 3, 2).permute(2, 0, 1), block)
    assert torch.equal(tokenizer.unpatchify(patches), x)


def test_sides_that_do_not_fit_are_filled_with_zeros():
    tokenizer = PatchTokenizer((1, 5, 7), 4, 8)
    x = torch.rand(2, 1, 5, 7)
    patches = tokenizer.targets(x).values
    assert patches.shape == (2, 4, 16)
    assert torch.equal(tokenizer.unpatchify(patches), x)
    torch.testing.assert_close(patches.sum(), x.sum())


def test_the_linear_layer_is_a_strided_convolution():
    tokenizer = PatchTokenizer((3, 8, 8), 4, 10)
    x = torch.randn(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    kernel = tokenizer.linear.weight.view(10, 4, 4, 3).permute(0, 3, 1, 2)
    expected = nn.functional.conv2d(x, kernel, tokenizer.linear.bias, stride=4).flatten(2).transpose(1, 2)
    torch.testing.assert_close(tokenizer.embed(x).values, expected, atol=1e-5, rtol=1e-5)


def test_wrong_patch():
    with pytest.raises(InputError, match="patch 0"):
        PatchTokenizer((3, 8, 8), 0, 10)
    assert patchify(torch.zeros(1, 1, 4, 4), 4).shape == (1, 1, 16)


@pytest.mark.parametrize(("axes", "dim"), [(1, 16), (2, 16), (2, 23), (3, 16), (0, 16)])
def test_sincos(axes, dim):
    coords = torch.randint(0, 30, (2, 5, axes)).float()
    y = sincos(coords, dim)
    f = dim // (2 * axes) if axes else 0
    assert y.shape == (2, 5, dim)
    assert not y[..., 2 * f * axes :].any()  # the odd remainder
    torch.testing.assert_close(y.pow(2).sum(-1), torch.full((2, 5), float(f * axes)))
    if axes:
        last = coords[1, 3, -1].item()
        reference = [math.sin(last / 10000 ** (i / f)) for i in range(f)]
        reference += [math.cos(last / 10000 ** (i / f)) for i in range(f)]
        torch.testing.assert_close(y[1, 3, 2 * f * (axes - 1) : 2 * f * axes], torch.tensor(reference))


def test_sincos_similarity_depends_on_the_distance_only():
    y = sincos(torch.arange(20.0)[None, :, None], 32)[0]
    similarity = y @ y.T
    for offset in (1, 5):
        diagonal = similarity.diagonal(offset)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert similarity[0, 0] > similarity[0, 1] > similarity[0, 3]


def test_learned_positions_look_up_the_cell():
    positions = Positions("learned", 4, (2, 3))
    coords = torch.tensor([[[1.0, 2.0], [0.0, 1.0]]])
    assert torch.equal(positions(coords)[0, 0], positions.table[1, 2])
    assert torch.equal(positions(coords)[0, 1], positions.table[0, 1])
    with pytest.raises(InputError, match="reach 2 x 3 tokens"):
        positions(torch.tensor([[[0.0, 3.0]]]))


def test_positions_decide_whether_order_matters():
    x = torch.randn(2, 3, 16, 16)
    turned = torch.cat([x[:, :, 8:], x[:, :, :8]], 2)
    blind = image_encoder(positions="none")
    torch.testing.assert_close(blind(x), blind(turned), atol=1e-5, rtol=1e-5)
    for kind in ("sincos", "learned"):
        encoder = image_encoder(positions=kind)
        assert not torch.allclose(encoder(x), encoder(turned), atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positions": "sincoss"}, 'no positions "sincoss"; did you mean "sincos"'),
        ({"pool": "max"}, 'no pool "max"'),
        ({"mixer": "atention"}, 'no mixer "atention"; did you mean "attention"'),
        ({"drop_path": 1.0}, "drop_path 1.0"),
        ({"dropout": -0.1}, "dropout -0.1"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(InputError, match=message):
        image_encoder(**options)
    with pytest.raises(InputError, match="dim 24 cannot be shared by 5 heads"):
        TokenEncoder(PatchTokenizer((3, 16, 16), 4, 24), depth=1, heads=5)


@pytest.mark.parametrize("options", [{}, {"registers": 2}, {"pool": "cls"}, {"pool": "cls", "registers": 3}])
def test_drop_runs_the_trunk_on_the_visible_tokens_alone(options):
    encoder = image_encoder(**options)
    x = torch.randn(3, 3, 16, 16)
    mask = torch.rand(3, 16).argsort(1) < 12  # 12 of 16 hidden in every sample
    embedded = encoder.tokenizer.embed(x)
    values = embedded.values + sincos(embedded.coords, 24)
    visible = torch.stack([v[~m] for v, m in zip(values, mask)])
    if encoder.extra:
        visible = torch.cat([encoder.prefix.expand(3, -1, -1), visible], 1)
    expected = encoder.norm(encoder.trunk(visible))[:, encoder.extra :]
    got = encoder.tokens(x, mask)
    assert torch.equal(got.values, expected)
    assert torch.equal(got.coords, torch.stack([c[~m] for c, m in zip(embedded.coords, mask)]))
    assert got.valid.all()


def test_dropped_pixels_do_not_reach_the_tokens():
    encoder = image_encoder()
    x = torch.randn(1, 3, 16, 16)
    mask = torch.zeros(1, 16, dtype=torch.bool)
    mask[0, 0] = True
    other = x.clone()
    other[:, :, :4, :4] = 7.0
    assert torch.equal(encoder.tokens(x, mask).values, encoder.tokens(other, mask).values)
    assert torch.equal(
        encoder.tokens(x, mask, "replace").values, encoder.tokens(other, mask, "replace").values
    )


def test_samples_may_keep_different_numbers_of_tokens():
    encoder = image_encoder(registers=1)
    x = torch.randn(3, 3, 16, 16)
    mask = torch.arange(16).expand(3, -1) >= torch.tensor([[2], [9], [16]])
    together = encoder.tokens(x, mask)
    assert together.valid.sum(1).tolist() == [2, 9, 16]
    for i in range(3):
        alone = encoder.tokens(x[i : i + 1], mask[i : i + 1])
        torch.testing.assert_close(
            together.values[i][together.valid[i]], alone.values[0], atol=1e-5, rtol=1e-5
        )


def test_a_sample_without_a_visible_token_stays_finite():
    encoder = image_encoder()
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[0] = True
    encoder.train()
    tokens = encoder.tokens(torch.randn(2, 3, 16, 16), mask)
    tokens.values.sum().backward()
    assert tokens.values.isfinite().all()
    assert not tokens.valid[0].any()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


def test_replace_without_a_masked_token_is_no_mask():
    encoder = image_encoder(pool="cls")
    x = torch.randn(2, 3, 16, 16)
    none = torch.zeros(2, 16, dtype=torch.bool)
    assert torch.equal(encoder.tokens(x, none, "replace").values, encoder.tokens(x).values)
    assert torch.equal(encoder.tokens(x, none, "drop").values, encoder.tokens(x).values)
    assert not torch.allclose(encoder.tokens(x, ~none, "replace").values, encoder.tokens(x).values, atol=1e-2)


@pytest.mark.parametrize("options", [{}, {"pool": "cls"}, {"registers": 2}, {"positions": "learned"}])
def test_padding_never_changes_an_embedding(options):
    encoder = series_encoder(**options)
    samples = [torch.randn(n, 3) for n in (4, 11, 1)]
    together = encoder(Ragged.of(samples))
    for i, sample in enumerate(samples):
        alone = encoder(Ragged.of([sample]))
        torch.testing.assert_close(alone[0], together[i], atol=1e-5, rtol=1e-5)
    encoder.tokenizer.padding = 6
    torch.testing.assert_close(encoder(Ragged.of(samples)), together, atol=1e-5, rtol=1e-5)


def test_masked_padding_is_not_a_token():
    encoder = series_encoder()
    x = Ragged.of([torch.randn(4, 3), torch.randn(7, 3)])
    mask = torch.zeros(2, 7, dtype=torch.bool)
    mask[:, 1] = True
    assert encoder.tokens(x, mask).valid.sum(1).tolist() == [3, 6]
    assert encoder.tokens(x, mask, "replace").valid.sum(1).tolist() == [4, 7]


def test_pooling():
    values = torch.randn(2, 3, 4)
    valid = torch.tensor([[True, True, False], [False, False, False]])
    torch.testing.assert_close(mean_valid(values, valid)[0], values[0, :2].mean(0))
    assert not mean_valid(values, valid)[1].any()
    encoder = image_encoder(pool="cls", registers=2)
    x = torch.randn(2, 3, 16, 16)
    assert encoder.tokens(x).values.shape[1] == 16
    with torch.no_grad():
        encoder.prefix[0] += torch.randn(24)
    assert not torch.allclose(encoder(x), image_encoder(pool="cls", registers=2)(x), atol=1e-3)


def test_trunk_gives_layers_and_skips_a_mask_that_hides_nothing():
    torch.manual_seed(0)
    trunk = Trunk(16, 3, 2).eval()
    x = torch.randn(2, 5, 16)
    outputs = trunk(x, None, [0, 1, 2, 3])
    assert torch.equal(outputs[0], x)
    assert torch.equal(outputs[2], trunk.blocks[1](outputs[1], None))
    assert torch.equal(outputs[3], trunk(x, torch.ones(2, 5, dtype=torch.bool)))
    assert trunk(x, None, []) == []


def test_attention_is_the_formula():
    torch.manual_seed(0)
    attention = MIXERS["attention"](12, 3)
    x = torch.randn(2, 5, 12)
    valid = torch.tensor([[True] * 5, [True, True, False, True, False]])
    q, k, v = attention.qkv(x).view(2, 5, 3, 3, 4).permute(2, 0, 3, 1, 4)
    score = (q @ k.mT / 2.0).masked_fill(~valid[:, None, None], -math.inf)
    expected = attention.out((score.softmax(-1) @ v).transpose(1, 2).reshape(2, 5, 12))
    torch.testing.assert_close(attention(x, valid), expected, atol=1e-5, rtol=1e-5)


def test_half_precision_attention_is_near_full_and_double_stays_double():
    torch.manual_seed(0)
    attention = MIXERS["attention"](12, 3)
    x = torch.randn(2, 5, 12)
    with torch.autocast("cpu", torch.bfloat16):
        trained = attention(x)
        with torch.no_grad():
            read = attention(x)
    assert trained.dtype == read.dtype == torch.bfloat16
    torch.testing.assert_close(trained.float(), attention(x), atol=2e-2, rtol=2e-2)
    torch.testing.assert_close(trained, read, atol=2e-2, rtol=2e-2)
    single = attention(x)
    double = attention.double()(x.double())
    assert double.dtype == torch.float64
    assert 0 < (double - single).abs().max() < 1e-5


def test_drop_path_keeps_the_mean_and_whole_samples():
    torch.manual_seed(0)
    drop = Trunk(8, 2, 2, drop_path=0.5).blocks[1].drop_path
    y = drop(torch.ones(4000, 2, 3))
    assert set(y.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(y.amax((1, 2)), y.amin((1, 2)))
    assert abs(y.mean().item() - 1.0) < 0.06
    assert torch.equal(drop.eval()(y), y)
