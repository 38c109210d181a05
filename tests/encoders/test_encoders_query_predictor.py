"""The narrow predictor: queries, their covariance, and what reaches what."""

import torch

from anyview.encoders.base import Tokens
from anyview.encoders.positions import sincos
from anyview.encoders.query_predictor import Predictor


def setup(batch=2, seen=5, wanted=3):
    torch.manual_seed(0)
    predictor = Predictor(8, 12, 1, 2)
    coords = torch.randint(0, 6, (batch, seen, 2)).float()
    context = Tokens(torch.randn(batch, seen, 8), coords, torch.ones(batch, seen, dtype=torch.bool))
    places = torch.randint(0, 6, (batch, wanted, 2)).float()
    return predictor, context, places, torch.ones(batch, wanted, dtype=torch.bool)


def test_noise_of_zero_is_no_noise_exactly():
    predictor, context, places, wanted = setup()
    plain = predictor(context, places, wanted)
    assert torch.equal(plain, predictor(context, places, wanted, torch.zeros(2, 3, 8)))
    assert plain.shape == (2, 3, 8)


def test_queries_spread_by_the_matrix_that_projects_the_context():
    predictor, *_ = setup()
    places = torch.tensor([[2.0, 3.0]]).expand(1, 200_000, 2)
    with torch.no_grad():
        q = predictor.queries(places, 0.25 * torch.randn(1, 200_000, 8))[0]
    wanted = 0.25**2 * predictor.embed.weight @ predictor.embed.weight.T
    assert (q.T.cov() - wanted).norm() < 0.03 * wanted.norm()
    centre = predictor.embed.bias + sincos(places[:, :1], 12)[0, 0]
    torch.testing.assert_close(q.mean(0), centre, atol=5e-3, rtol=0)


def test_padding_reaches_nothing():
    predictor, context, places, wanted = setup()
    valid = context.valid.clone()
    valid[:, 3:] = False
    wanted = torch.tensor([[True, True, False]]).expand(2, 3)
    values = context.values.clone()
    values[:, 3:] = 99.0
    a = predictor(Tokens(context.values, context.coords, valid), places, wanted)
    b = predictor(Tokens(values, context.coords, valid), places + 7 * ~wanted[..., None], wanted)
    torch.testing.assert_close(a[:, :2], b[:, :2])
