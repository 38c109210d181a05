"""The masked decoder: prediction i belongs to masked token i."""

import torch

from anyview.encoders import MaskedDecoder, Targets, Tokens, gather_masked, masked_targets, sincos


def sample(batch: int = 3, tokens: int = 10, dim: int = 6):
    """Ragged tokens in shuffled places of a 2-D grid, with masks of different sizes."""
    torch.manual_seed(1)
    places = torch.stack([torch.randperm(25)[:tokens] for _ in range(batch)])
    coords = torch.stack([places // 5, places % 5], -1).float()
    valid = torch.arange(tokens).expand(batch, -1) < torch.tensor([[10], [7], [4]])
    mask = torch.rand(batch, tokens) < 0.5
    mask[:, 0] = True
    mask[:, 1] = False
    return Tokens(torch.randn(batch, tokens, dim), coords, valid), mask


def test_gather_masked_keeps_the_order():
    tokens, mask = sample()
    values, valid = gather_masked(tokens.values, mask, tokens.valid)
    hidden = mask & tokens.valid
    assert valid.shape[1] == hidden.sum(1).max()
    for i in range(3):
        assert torch.equal(values[i][valid[i]], tokens.values[i][hidden[i]])


def test_targets_of_categories_too():
    tokens, mask = sample()
    classes = torch.arange(30).view(3, 10)
    values, valid = masked_targets(Targets(classes, "categorical", 30), mask, tokens.valid)
    assert values[valid].tolist() == classes[mask & tokens.valid].tolist()


def test_prediction_belongs_to_its_token():
    """Without blocks a prediction is a function of its own place alone, which can be computed apart."""
    tokens, mask = sample()
    decoder = MaskedDecoder(6, 5, dim=16, depth=0, heads=2).eval()
    predicted, valid = decoder(tokens.gather(~mask), tokens.coords, tokens.valid, mask)
    everywhere = decoder.head(decoder.norm(decoder.mask_token + sincos(tokens.coords, 16)))
    torch.testing.assert_close(predicted[valid], everywhere[mask & tokens.valid])
    assert len(predicted[valid].detach().round(decimals=4).unique(dim=0)) > 1  # so that a shuffle would show


def test_predictions_follow_their_tokens_when_these_change_places():
    tokens, mask = sample()
    tokens = Tokens(tokens.values, tokens.coords, torch.ones_like(tokens.valid))
    decoder = MaskedDecoder(6, 5, dim=16, depth=2, heads=2).eval()
    order = torch.randperm(10)
    moved = Tokens(tokens.values[:, order], tokens.coords[:, order], tokens.valid)
    a, valid_a = decoder(tokens.gather(~mask), tokens.coords, tokens.valid, mask)
    b, valid_b = decoder(moved.gather(~mask[:, order]), moved.coords, moved.valid, mask[:, order])
    full_a, full_b = torch.zeros(3, 10, 5), torch.zeros(3, 10, 5)
    full_a[mask] = a[valid_a]
    full_b[mask[:, order]] = b[valid_b]
    torch.testing.assert_close(full_a[:, order], full_b, atol=1e-5, rtol=1e-5)


def test_ragged_samples_decode_as_if_alone():
    tokens, mask = sample()
    decoder = MaskedDecoder(6, 5, dim=16, depth=2, heads=2).eval()
    together, valid = decoder(tokens.gather(~mask), tokens.coords, tokens.valid, mask)
    for i in range(3):
        own = tokens.valid[i]
        one = Tokens(
            tokens.values[i : i + 1, own], tokens.coords[i : i + 1, own], tokens.valid[i : i + 1, own]
        )
        alone, _ = decoder(one.gather(~mask[i : i + 1, own]), one.coords, one.valid, mask[i : i + 1, own])
        torch.testing.assert_close(together[i][valid[i]], alone[0], atol=1e-5, rtol=1e-5)


def test_visible_tokens_reach_predictions_and_gradients_every_parameter():
    tokens, mask = sample()
    decoder = MaskedDecoder(6, 5, dim=16, depth=1, heads=2)
    visible = tokens.gather(~mask)
    visible.values.requires_grad_()
    predicted, valid = decoder(visible, tokens.coords, tokens.valid, mask)
    (predicted * torch.randn_like(predicted))[valid].sum().backward()
    assert visible.values.grad[visible.valid].abs().sum(-1).gt(0).all()
    assert not visible.values.grad[~visible.valid].any()
    assert all(p.grad is not None and p.grad.any() for p in decoder.parameters())


def test_nothing_masked_predicts_nothing():
    tokens, mask = sample()
    decoder = MaskedDecoder(6, 5, dim=16, depth=1, heads=2)
    none = torch.zeros_like(mask)
    predicted, valid = decoder(tokens, tokens.coords, tokens.valid, none)
    assert predicted.shape == (3, 0, 5)
    assert valid.shape == (3, 0)


def test_bfloat16_is_finite():
    tokens, mask = sample()
    decoder = MaskedDecoder(6, 5, dim=16, depth=1, heads=2)
    with torch.autocast("cpu", torch.bfloat16):
        predicted, _ = decoder(tokens.gather(~mask), tokens.coords, tokens.valid, mask)
    assert predicted.isfinite().all()
