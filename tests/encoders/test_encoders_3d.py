"""Encoders of volumes and clips: boxes, feature maps, masks."""

import pytest
import torch

from anyview.encoders import registry
from anyview.encoders.boxes import cut
from anyview.encoders.resnet3d import Conv3d, factorised, full
from anyview.encoders.tokenizers import tokenizer
from anyview.errors import InputError

VOLUME = {"modality": "volume", "shape": [1, 12, 16, 12]}
CLIP = {"modality": "video", "shape": [3, 4, 16, 16]}


def sample(input, n=3):
    return torch.randn(n, *input["shape"])


@pytest.mark.parametrize("input", [VOLUME, CLIP], ids=["volume", "video"])
def test_boxes_hold_what_they_cover(input) -> None:
    tokens = tokenizer(input, 24)
    x = sample(input)
    targets = tokens.targets(x).values
    coords, valid = tokens.layout(x)
    assert bool(valid.all())
    assert coords.shape == (3, targets.shape[1], 3)
    assert torch.equal(tokens.uncut(targets), x)
    a, b, c = tokens.box
    for i in (0, 5, targets.shape[1] - 1):
        d, h, w = (int(p) * k for p, k in zip(coords[1, i], tokens.box))
        block = x[1, :, d : d + a, h : h + b, w : w + c]
        assert torch.equal(targets[1, i], block.permute(1, 2, 3, 0).flatten())
    assert tuple(tokens.embed(x).values.shape) == (3, targets.shape[1], 24)


def test_sides_that_do_not_divide_are_filled_up() -> None:
    x = torch.randn(2, 1, 5, 4, 7)
    boxes = cut(x, (2, 4, 4))
    assert boxes.shape == (2, 3 * 1 * 2, 32)
    assert boxes.sum() == pytest.approx(float(x.sum()), abs=1e-3)


@pytest.mark.parametrize(("name", "input"), [("resnet3d-s", VOLUME), ("resnet2p1d-s", CLIP)])
def test_feature_maps_are_tokens(name: str, input) -> None:
    encoder = registry.build(name, input).eval()
    x = sample(input)
    coords, valid = encoder.layout(x)
    found = encoder.tokens(x)
    assert found.values.shape == (3, coords.shape[1], encoder.dim)
    assert torch.equal(found.coords, coords)
    assert torch.allclose(found.values.mean(1), encoder(x), atol=1e-5)
    cells = coords[0].amax(0) + 1
    assert cells.tolist() == [-(-n // s) for n, s in zip(input["shape"][1:], encoder.stride)]
    stages = encoder.tokens(x, layers=[0, 3])
    assert stages[0].values.shape[1] > stages[1].values.shape[1]
    with pytest.raises(InputError, match="cannot drop"):
        encoder.tokens(x, valid & False)


@pytest.mark.parametrize(("name", "input"), [("resnet3d-s", VOLUME), ("resnet2p1d-s", CLIP)])
def test_hidden_cells_are_not_seen(name: str, input) -> None:
    encoder = registry.build(name, input).eval()
    x = sample(input)
    _, valid = encoder.layout(x)
    mask = torch.zeros_like(valid)
    mask[:, 0] = True
    other = x.clone()
    d, h, w = (s for s in encoder.stride)
    other[:, :, :d, :h, :w] += 5
    one, two = (encoder.tokens(y, mask, masked="replace").values for y in (x, other))
    assert torch.allclose(one, two, atol=1e-5)
    assert not torch.allclose(encoder(x), encoder(other), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "input"),
    [
        ("resnet3d-s", VOLUME),
        ("resnet2p1d-s", CLIP),
        ("transformer-nano", VOLUME),
        ("transformer-nano", CLIP),
    ],
)
def test_saved_and_loaded_and_alone_as_in_a_batch(name: str, input, tmp_path) -> None:
    encoder = registry.build(name, input).eval()
    x = sample(input, 4)
    registry.save(encoder, tmp_path)
    loaded, _ = registry.load(tmp_path)
    assert torch.equal(loaded(x), encoder(x))
    assert torch.allclose(encoder(x[2:3]), encoder(x)[2:3], atol=1e-5)
    small = x[:, :, : max(2, x.shape[2] // 2), : x.shape[3] // 2, : x.shape[4] // 2]  # a local crop
    assert encoder(small).shape == (4, encoder.dim)


def test_factorised_has_about_the_parameters_of_full() -> None:
    count = [sum(p.numel() for layer in f(32, 64) for p in layer.parameters()) for f in (full, factorised)]
    assert abs(count[1] / count[0] - 1) < 0.05


@pytest.mark.parametrize("extent", [(1, 1, 1), (2, 2, 2), (2, 4, 4), (4, 2, 2), (4, 4, 4)])
@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3), (3, 1, 1)])
def test_gradients_in_bf16_are_those_of_fp32(extent, kernel) -> None:
    """On maps below 3 they were arbitrary numbers on processors."""
    conv = Conv3d(8, 8, kernel, padding=tuple(k // 2 for k in kernel))
    x = torch.randn(4, 8, *extent)
    grads = []
    for enabled in (False, True):
        junk = torch.full((100_000,), torch.nan)
        del junk  # what uninitialised memory would hold
        conv.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            conv(x).float().square().sum().backward()
        grads.append(conv.weight.grad.clone())
    assert (grads[0] - grads[1]).norm() < 0.03 * grads[0].norm()


@pytest.mark.parametrize(
    ("name", "input"),
    [
        ("resnet3d-s", {"modality": "volume", "shape": [8, 8, 8]}),
        ("transformer-nano", {"modality": "video", "shape": [3, 0, 8, 8]}),
    ],
)
def test_shapes_that_are_none(name: str, input) -> None:
    with pytest.raises(InputError, match="have a shape"):
        registry.build(name, input)
