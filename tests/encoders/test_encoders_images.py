"""Every image encoder: shapes, coordinates, masks, gradients, precision."""

import sys

import pytest
import torch
from torch import nn

from anyview.encoders import ConvNet, ResNet, TimmEncoder, build
from anyview.errors import InputError

SMALL = {
    "convnet-s": {"width": 8},
    "resnet18": {"width": 8},
    "resnet50": {"width": 8},
    "vit-nano": {"dim": 24, "depth": 2, "heads": 2},
}
GRID = {  # cells along a side of the last map, for images of 8, 32 and 64 px
    "convnet-s": {8: 2, 32: 8, 64: 16},
    "resnet18": {8: 1, 32: 4, 64: 8},
    "resnet50": {8: 1, 32: 4, 64: 8},
    "vit-nano": {8: 4, 32: 8, 64: 8},
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 32, 64])
def test_shapes_and_coordinates(name, channels, size):
    encoder = build(name, (channels, size, size), **SMALL[name]).eval()
    x = torch.randn(2, channels, size, size)
    tokens = encoder.tokens(x)
    side = GRID[name][size]
    assert encoder(x).shape == (2, encoder.dim)
    assert tokens.values.shape == (2, side * side, encoder.dim)
    assert tokens.coords[1].tolist() == [[r, c] for r in range(side) for c in range(side)]
    assert tokens.valid.all()
    coords, valid = encoder.layout(x)
    assert torch.equal(coords, tokens.coords)
    assert torch.equal(valid, tokens.valid)


@pytest.mark.parametrize("name", SMALL)
def test_the_embedding_is_the_mean_of_the_tokens(name):
    encoder = build(name, (3, 16, 16), **SMALL[name]).eval()
    x = torch.randn(3, 3, 16, 16)
    torch.testing.assert_close(encoder(x), encoder.tokens(x).values.mean(1))


@pytest.mark.parametrize("name", SMALL)
def test_sides_may_differ_and_need_not_fit_the_stride(name):
    encoder = build(name, (3, 21, 30), **SMALL[name]).eval()
    x = torch.randn(2, 3, 21, 30)
    tokens = encoder.tokens(x)
    assert tokens.coords.shape == encoder.layout(x)[0].shape
    assert len(tokens.coords[0].unique(dim=0)) == tokens.values.shape[1]


@pytest.mark.parametrize("name", SMALL)
def test_layers_come_in_the_order_asked_for(name):
    encoder = build(name, (3, 16, 16), **SMALL[name]).eval()
    x = torch.randn(2, 3, 16, 16)
    last, first = encoder.tokens(x, layers=[encoder.depth, 0])
    again = encoder.tokens(x, layers=list(range(encoder.depth + 1)))
    assert len(again) == encoder.depth + 1
    assert torch.equal(last.values, again[-1].values)
    assert torch.equal(first.values, again[0].values)
    with pytest.raises(InputError, match=f"no layer {encoder.depth + 1} .* to {encoder.depth}"):
        encoder.tokens(x, layers=[encoder.depth + 1])


@pytest.mark.parametrize("name", SMALL)
def test_one_sample_in_eval_mode_is_as_in_a_batch(name):
    encoder = build(name, (3, 16, 16), **SMALL[name]).eval()
    x = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(encoder(x[:1]), encoder(x)[:1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("masked", ["none", "replace"])
def test_gradient_reaches_every_parameter(name, masked):
    options = SMALL[name] | ({"zero_init": False} if "resnet" in name else {})
    encoder = build(name, (3, 16, 16), **options)
    x = torch.randn(4, 3, 16, 16)
    if masked == "none":
        y = encoder(x)
    else:
        _, valid = encoder.layout(x)
        mask = torch.zeros_like(valid)
        mask[:, 0] = True
        y = encoder.tokens(x, mask, "replace").values
    (y * torch.randn_like(y)).sum().backward()
    without = [n for n, p in encoder.named_parameters() if p.grad is None]
    zero = [n for n, p in encoder.named_parameters() if p.grad is not None and not p.grad.any()]
    assert without == []
    assert zero == (
        [n for n in ("mask_token", "mask_pixel") if hasattr(encoder, n)] if masked == "none" else []
    )


@pytest.mark.parametrize("name", SMALL)
def test_bfloat16_is_finite_and_near(name):
    torch.manual_seed(0)
    encoder = build(name, (3, 16, 16), **SMALL[name])
    x = torch.randn(8, 3, 16, 16)
    full = encoder(x)
    with torch.autocast("cpu", torch.bfloat16):
        half = encoder(x)
    half.float().pow(2).sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())
    assert torch.nn.functional.cosine_similarity(full, half.float()).min() > 0.99


@pytest.mark.parametrize("name", ["convnet-s", "resnet18"])
def test_channels_last_changes_nothing(name):
    encoder = build(name, (3, 16, 16), **SMALL[name]).eval()
    x = torch.randn(2, 3, 16, 16)
    plain = encoder(x)
    last = encoder.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(plain, last, atol=1e-5, rtol=1e-4)


def test_convolutions_replace_the_pixels_of_masked_cells():
    encoder = ConvNet(3, 8).eval()
    x = torch.randn(2, 3, 16, 16)
    none = torch.zeros(2, 16, dtype=torch.bool)
    assert torch.equal(encoder.tokens(x, none, "replace").values, encoder.tokens(x).values)
    mask = none.clone()
    mask[0, 5] = True  # row 1, column 1: pixels 4 to 7
    other = x.clone()
    other[0, :, 4:8, 4:8] = 100.0
    hidden = encoder.tokens(x, mask, "replace").values
    assert torch.equal(hidden, encoder.tokens(other, mask, "replace").values)
    assert torch.equal(hidden[1], encoder.tokens(x).values[1])
    other[0, 0, 8, 8] += 1.0
    assert not torch.equal(hidden, encoder.tokens(other, mask, "replace").values)


def test_convolutions_cannot_drop():
    encoder = ConvNet(1, 8)
    with pytest.raises(InputError, match=r"cannot drop.*vit-nano"):
        encoder.tokens(torch.randn(1, 1, 8, 8), torch.ones(1, 4, dtype=torch.bool), "drop")


def test_resnet_is_the_published_one():
    """Parameters of the published networks, without classifier: 11,689,512 - 513,000 and so on."""
    counts = {18: 11_176_512, 34: 21_284_672, 50: 23_508_032}
    for layers, count in counts.items():
        encoder = ResNet(3, layers, stem="standard")
        assert sum(p.numel() for p in encoder.parameters()) - encoder.mask_pixel.numel() == count


def test_resnet_equals_timm():
    timm = pytest.importorskip("timm")
    for layers in (18, 50):
        ours = ResNet(3, layers, stem="standard", zero_init=False).eval()
        peer = timm.create_model(f"resnet{layers}", num_classes=0).eval()
        tensors = [p for n, p in ours.state_dict().items() if n != "mask_pixel"]
        # both networks list their tensors in the order of computation, shortcuts last
        peer.load_state_dict(dict(zip(peer.state_dict(), tensors, strict=True)))
        x = torch.randn(2, 3, 64, 64)
        torch.testing.assert_close(ours(x), peer(x), atol=1e-4, rtol=1e-4)


def test_zero_init_makes_blocks_start_as_identity():
    encoder = ResNet(3, 18, width=8).eval()
    x = torch.randn(2, 8, 8, 8).relu()
    assert torch.equal(encoder.stages[1](x), x)
    assert not torch.equal(ResNet(3, 18, width=8, zero_init=False).eval().stages[1](x), x)


def test_wrong_resnets():
    with pytest.raises(InputError, match="no ResNet with 20 layers; take one of 18, 34, 50"):
        ResNet(3, 20)
    with pytest.raises(InputError, match='no stem "smal"; did you mean "small"'):
        ResNet(3, 18, stem="smal")


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "convnext_atto"])
def test_timm_networks(name):
    pytest.importorskip("timm")
    encoder = build(f"timm:{name}", (3, 32, 32)).eval()
    x = torch.randn(2, 3, 32, 32)
    y = encoder(x)
    tokens = encoder.tokens(x)
    coords, _ = encoder.layout(x)
    assert y.shape == (2, encoder.dim)
    assert y.isfinite().all()
    assert tokens.values.shape == (*coords.shape[:2], encoder.dim)
    assert torch.equal(tokens.coords, coords)
    one, last = encoder.tokens(x, layers=[1, encoder.depth])
    assert last.values.shape == tokens.values.shape
    assert one.values.shape[1] >= last.values.shape[1]
    mask = torch.ones(coords.shape[:2], dtype=torch.bool)
    hidden = encoder.tokens(x, mask, "replace").values
    assert torch.equal(hidden, encoder.tokens(torch.randn_like(x), mask, "replace").values)


def test_timm_vit_tokens_are_its_patches_without_the_class_token():
    pytest.importorskip("timm")
    encoder = TimmEncoder("vit_tiny_patch16_224", size=(32, 32)).eval()
    x = torch.randn(1, 3, 32, 32)
    features = encoder.network.forward_features(x)
    torch.testing.assert_close(encoder.tokens(x).values, features[:, 1:])
    torch.testing.assert_close(encoder(x), features[:, 0])


def test_timm_errors(monkeypatch):
    pytest.importorskip("timm")
    with pytest.raises(InputError, match='no timm model "resnet19"; did you mean "resnet'):
        build("timm:resnet19", (3, 32, 32))
    with pytest.raises(InputError, match="multiples of 16 px, not 8 x 32"):
        build("timm:vit_tiny_patch16_224", (3, 8, 32))
    with pytest.raises(InputError, match="layers start at 1"):
        build("timm:resnet18", (3, 32, 32)).tokens(torch.randn(1, 3, 32, 32), layers=[0])
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r'pip install "anyview\[timm\]"'):
        build("timm:resnet18", (3, 32, 32))


def test_batch_norm_is_all_that_couples_samples():
    encoder = build("vit-nano", (1, 8, 8), **SMALL["vit-nano"])
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in encoder.modules())
    x = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(encoder(x)[:2], encoder(x[:2]), atol=1e-6, rtol=1e-5)
