"""MP3: no position leaks in, and only the context is looked at."""

import pytest
import torch

from anyview.data.batch import Batch
from anyview.encoders import build
from anyview.encoders.positions import cell_number
from anyview.errors import InputError
from anyview.methods.masked.mp3 import MP3
from anyview.views.image import plain_view

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}


def method(**options):
    torch.manual_seed(0)
    return MP3(build("vit-nano", (3, 16, 16), positions="none"), plain_view(SPEC), **options)


def test_permuted_tokens_give_permuted_logits():
    m, order = method(), torch.randperm(16)
    values, keys = torch.randn(2, 16, 96), torch.rand(2, 16) < 0.5
    a = m.head(m.outputs(values, keys))[:, order]
    torch.testing.assert_close(a, m.head(m.outputs(values[:, order], keys[:, order])), atol=1e-5, rtol=0)


def test_no_gradient_from_outside_the_context():
    m = method()
    values, keys = torch.randn(1, 16, 96, requires_grad=True), torch.arange(16)[None] < 4
    m.head(m.outputs(values, keys))[0, 9].logsumexp(0).backward()
    reached = values.grad[0].abs().sum(1) > 0
    assert reached.tolist() == [True] * 4 + [False] * 5 + [True] + [False] * 6


def test_with_every_key_it_is_the_encoder():
    m, x = method(mask_ratio=0.0), torch.randn(2, 3, 16, 16)
    values = m.encoder.tokenizer.embed(x).values
    found = m.outputs(values, torch.ones(2, 16, dtype=torch.bool))
    torch.testing.assert_close(found, m.encoder.tokens(x).values, atol=1e-6, rtol=0)


def test_tokens_beside_the_input_tell_no_place():
    torch.manual_seed(0)
    encoder = build("vit-nano", (3, 16, 16), positions="none", pool="cls", registers=2)
    m, order = MP3(encoder, plain_view(SPEC)), torch.randperm(16)
    values, keys = torch.randn(2, 16, 96), torch.rand(2, 16) < 0.5
    a = m.outputs(values, keys)[:, order]
    torch.testing.assert_close(a, m.outputs(values[:, order], keys[:, order]), atol=1e-5, rtol=0)


def test_every_sample_has_a_context_of_its_own_and_the_loss_is_over_all_tokens():
    m, seen = method(mask_ratio=0.75), []
    inner = m.outputs
    m.outputs = lambda values, keys: seen.append(keys) or inner(values, keys)
    out = m([Batch(torch.randn(8, 3, 16, 16), torch.arange(8))])
    assert (seen[0].sum(1) == 4).all()
    assert len({tuple(row.tolist()) for row in seen[0]}) > 4
    assert out["valid"].all()


def test_places_are_numbered_in_reading_order():
    m = method()
    coords, _ = m.encoder.layout(torch.zeros(1, 3, 16, 16))
    assert cell_number(coords, m.extent)[0].tolist() == list(range(16))


def test_an_encoder_with_positions_is_refused():
    with pytest.raises(InputError, match=r"set encoder\.positions to none"):
        MP3(build("vit-nano", (3, 16, 16)), plain_view(SPEC))
