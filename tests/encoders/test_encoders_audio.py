"""Encoders of audio: padding never changes anything, tokens are where they say, masks hide."""

import pytest
import torch

from anyview.data.audio.logmel import LogMel
from anyview.data.batch import Ragged
from anyview.encoders import registry
from anyview.encoders.packed import PackedConv
from anyview.encoders.tokenizers.audio import SpectrogramTokenizer, default_patch
from anyview.errors import InputError

INPUT = {
    "modality": "audio", "rate": 8000, "mels": 40, "mean": [-8.0] * 40, "std": [3.0] * 40, "frames": [40, 230],
}  # fmt: skip
NAMES = ["melconv-s", "conv1d-s", "transformer-nano", "ast-nano"]
LENGTHS = (3, 199, 200, 201, 640, 641, 3333, 12_000)


def ragged(*lengths: int) -> Ragged:
    return Ragged.of([0.1 * torch.randn(n) for n in lengths])


def masked(x: Ragged) -> dict:
    n = len(x)
    return {
        "wave": x,
        "time": torch.tensor([[0.2, 0.4]]).expand(n, 1, 2),
        "mel": torch.tensor([[0.5, 0.6]]).expand(n, 1, 2),
    }


@pytest.fixture(params=NAMES)
def encoder(request):
    return registry.build(request.param, INPUT).eval()


def test_a_recording_is_the_same_alone_and_beside_longer_ones(encoder):
    x = ragged(*LENGTHS)
    for payload in (lambda part: part, masked):
        together = encoder(payload(x))
        for i in range(len(x)):
            alone = encoder(payload(x[torch.tensor([i])]))
            torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-5)


def test_tokens_are_the_same_alone_and_beside_longer_ones(encoder):
    x = ragged(*LENGTHS)
    layers = [0, 1, encoder.depth]
    together = [encoder.tokens(x), *encoder.tokens(x, layers=layers)]
    for i in range(len(x)):
        part = x[torch.tensor([i])]
        for whole, alone in zip(together, [encoder.tokens(part), *encoder.tokens(part, layers=layers)]):
            n = int(alone.valid.sum())
            assert n == alone.valid.shape[1] == int(whole.valid[i].sum())
            torch.testing.assert_close(whole.values[i, :n], alone.values[0], atol=1e-5, rtol=1e-4)
            assert torch.equal(whole.coords[i, :n], alone.coords[0])


def test_gradients_do_not_see_padding_either(encoder):
    x = ragged(500, 8000)
    grads = []
    for part in (x[torch.tensor([0])], x):
        encoder.zero_grad()
        encoder(part)[0].square().sum().backward()
        grads.append([p.grad.clone() for p in encoder.parameters() if p.grad is not None])
    for one, two in zip(*grads):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-3)


def test_layout_is_that_of_the_tokens(encoder):
    x = ragged(*LENGTHS)
    coords, valid = encoder.layout(x)
    found = encoder.tokens(x)
    assert torch.equal(found.valid, valid)
    assert torch.equal(found.coords[valid], coords[valid])
    assert valid[:, 0].all()


def test_what_is_masked_does_not_reach_the_output(encoder):
    x = ragged(4000, 9000)
    coords, valid = encoder.layout(x)
    mask = valid & (coords[..., 0] < 2)  # the first two columns of each
    first = encoder.tokens(x, mask, masked="replace")
    changed = Ragged(x.values.clone(), x.length)
    changed.values[:100] += 1.0
    changed.values[4000:4100] += 1.0
    if not encoder.can_drop and encoder.front is None:
        # the waveform is normalised by itself: keep its mean and deviation
        changed = Ragged(x.values.clone(), x.length)
        for a in (0, 4000):
            changed.values[a : a + 100] = x.values[a : a + 100].flip(0)
    second = encoder.tokens(changed, mask, masked="replace")
    torch.testing.assert_close(first.values[valid], second.values[valid], atol=1e-5, rtol=1e-5)
    plain = encoder.tokens(x)
    assert not torch.allclose(first.values[valid], plain.values[valid], atol=1e-3)


def test_spectrogram_masks_change_what_is_seen(encoder):
    x = ragged(4000, 9000)
    assert not torch.allclose(encoder(masked(x)), encoder(x), atol=1e-4)


def test_an_encoder_is_built_again_from_its_config(encoder):
    again = registry.build(**encoder.config)
    again.load_state_dict(encoder.state_dict())
    x = ragged(900, 4000)
    assert torch.equal(again.eval()(x), encoder(x))


def test_convolutions_over_packed_samples_are_those_of_each_alone():
    for kernel, stride, bands in (((3, 3), (2, 2), 10), ((10, 1), (5, 1), 1), ((3, 3), (1, 1), 7)):
        layer = PackedConv(2, 5, kernel, stride).eval()
        x = Ragged.of([torch.randn(n, bands, 2) for n in (1, 7, 30, 2, 11)])
        for sample, found in zip(x.unpack(), layer(x).unpack()):
            steps = -(-len(sample) // stride[0])
            left = (kernel[0] - 1) // 2
            padded = torch.nn.functional.pad(sample.permute(2, 0, 1), (0, 0, left, kernel[0] + stride[0]))
            y = torch.nn.functional.conv2d(
                padded[None], layer.conv.weight, stride=stride, padding=(0, kernel[1] // 2)
            )[0, :, :steps].permute(1, 2, 0)
            expected = layer.norm(y.flatten(0, 1)).relu().view(y.shape)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_batch_norm_counts_real_steps_only():
    layer = PackedConv(1, 3, (3, 1), (1, 1)).train()
    layer.norm.momentum = 1.0
    x = Ragged.of([5 + torch.randn(n, 1, 1) for n in (2, 50, 9)])
    layer(x)
    alone = [
        torch.nn.functional.conv2d(s.permute(2, 0, 1)[None], layer.conv.weight, padding=(1, 0))[0, :, :, 0].T
        for s in x.unpack()
    ]
    torch.testing.assert_close(layer.norm.running_mean, torch.cat(alone).mean(0), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("square", "patch"), [(False, 2), (False, 5), (True, 8), (True, 7)])
def test_targets_are_the_spectrogram_in_the_order_of_the_tokens(square: bool, patch: int):
    tokenizer = SpectrogramTokenizer(INPUT, 16, patch, square)
    x = ragged(900, 5000)
    front = LogMel(8000, 40, INPUT["mean"], INPUT["std"])
    targets, (coords, valid) = tokenizer.targets(x), tokenizer.layout(x)
    assert targets.size == targets.values.shape[2] == tokenizer.target_size
    assert targets.values.shape[:2] == valid.shape
    height = patch if square else 40
    for i, frames in enumerate(front(x).unpack()):
        seen = torch.zeros(-(-len(frames) // patch) * patch, -(-40 // height) * height)
        for k in valid[i].nonzero()[:, 0].tolist():
            column, row = int(coords[i, k, 0]), int(coords[i, k, 1]) if square else 0
            block = targets.values[i, k].view(patch, height)
            seen[column * patch : (column + 1) * patch, row * height : (row + 1) * height] = block
        torch.testing.assert_close(seen[: len(frames), :40], frames)
        assert (seen[len(frames) :] == 0).all()
        assert (seen[:, 40:] == 0).all()


def test_patches_follow_the_length_and_bad_ones_are_refused():
    assert (default_patch(40), default_patch(500)) == (2, 4)
    assert registry.build("transformer-nano", INPUT, patch=6).tokenizer.patch == 6
    with pytest.raises(InputError, match="patch 41 cannot be"):
        registry.build("ast-nano", INPUT, patch=41)


def test_convolutions_cannot_drop_and_say_who_can():
    encoder = registry.build("melconv-s", INPUT)
    x = ragged(4000)
    with pytest.raises(InputError, match="transformer-nano"):
        encoder.tokens(x, torch.zeros(1, 5, dtype=torch.bool), masked="drop")
    with pytest.raises(InputError, match="no layer 9"):
        encoder.tokens(x, layers=[9])


def test_the_waveform_network_does_not_hear_gain():
    encoder = registry.build("conv1d-s", INPUT).eval()
    x = ragged(4000, 700)
    torch.testing.assert_close(encoder(Ragged(0.3 * x.values, x.length)), encoder(x), atol=1e-3, rtol=1e-3)
