"""Targets of data2vec: what a block adds to the residual, normalised without padding."""

import pytest
import torch

from anyview.encoders import build
from anyview.errors import InputError
from anyview.targets.contextual import feed_forward_outputs, mean_of_normalised


@pytest.mark.parametrize("options", [{}, {"registers": 2, "pool": "cls"}])
def test_it_is_what_the_feed_forward_network_adds(options):
    encoder = build("vit-nano", (3, 16, 16), **options).eval()
    x = torch.randn(2, 3, 16, 16)
    found = feed_forward_outputs(encoder, x)
    layers = encoder.tokens(x, layers=list(range(encoder.depth + 1)))
    assert len(found) == encoder.depth
    if not options:  # attention over the extra tokens is not repeated here
        for number, block in enumerate(encoder.trunk.blocks):
            before = layers[number].values
            mixed = before + block.mixer(block.norm1(before), None)
            torch.testing.assert_close(mixed + found[number], layers[number + 1].values, atol=1e-5, rtol=1e-5)
    assert all(y.shape == layers[0].values.shape for y in found)
    assert not encoder.trunk.blocks[0].mlp._forward_hooks


def test_layer_norm_is_over_the_values_of_a_token():
    layers = [3 * torch.randn(2, 5, 8) + 1 for _ in range(2)]
    valid = torch.ones(2, 5, dtype=torch.bool)
    one = mean_of_normalised(layers[:1], valid, "layer")
    torch.testing.assert_close(one.mean(2), torch.zeros(2, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(one.var(2, correction=0), torch.ones(2, 5), atol=1e-3, rtol=0)
    other = mean_of_normalised(layers[1:], valid, "layer")
    torch.testing.assert_close(mean_of_normalised(layers, valid, "layer"), (one + other) / 2)


def test_instance_norm_does_not_see_padding():
    x = torch.randn(2, 6, 4)
    valid = torch.arange(6) < torch.tensor([6, 3])[:, None]
    padded = torch.where(valid[..., None], x, 1e3)
    got = mean_of_normalised([padded], valid, "instance")
    alone = mean_of_normalised([x[1:, :3]], valid[1:, :3], "instance")
    torch.testing.assert_close(got[1:, :3], alone)
    torch.testing.assert_close(alone.mean(1), torch.zeros(1, 4), atol=1e-5, rtol=0)


def test_none_is_the_plain_mean_and_another_name_is_refused():
    layers = [torch.randn(1, 2, 3) for _ in range(3)]
    valid = torch.ones(1, 2, dtype=torch.bool)
    torch.testing.assert_close(mean_of_normalised(layers, valid, "none"), torch.stack(layers).mean(0))
    with pytest.raises(InputError, match="layer"):
        mean_of_normalised(layers, valid, "layr")
