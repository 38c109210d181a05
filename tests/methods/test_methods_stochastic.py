"""What is stochastic contrast's own: without noise and price it is SimCLR, and the price rises."""

import torch

from anyview.data import open as open_data
from anyview.encoders import build
from anyview.methods.contrastive.stochastic import StochasticContrastive
from anyview.objectives.contrastive import nt_xent
from anyview.views.image import two_views

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}
BATCH = open_data(torch.randint(0, 255, (6, 3, 16, 16), dtype=torch.uint8)).train.fetch(torch.arange(6))


def built(**options) -> StochasticContrastive:
    return StochasticContrastive(build("convnet-s", (3, 16, 16), width=8), two_views(SPEC), **options).eval()


def test_without_price_and_noise_it_is_simclr() -> None:
    method = built(beta=0.0)
    with torch.no_grad():
        method.bottleneck.linear.bias[1::2] = -100
    views = method.make_views(BATCH)
    mean = torch.stack([method.projector(method.bottleneck.code(method.encoder(v.x))) for v in views])
    terms = method.loss(**method(views))
    assert terms["rate"] == 0
    torch.testing.assert_close(terms["contrast"], nt_xent(mean, 0.5), atol=1e-6, rtol=0)


def test_the_price_rises_from_nothing() -> None:
    method = built(beta=0.1, warmup=0.5)
    found = method(method.make_views(BATCH))
    rates = []
    for progress in (0.0, 0.25, 0.5, 1.0):
        method.progress = progress
        rates.append(float(method.loss(**found)["rate"].detach()))
    full = 0.1 * 0.5 * float(found["kl"].sum(0).mean().detach())
    torch.testing.assert_close(torch.tensor(rates), full * torch.tensor([0.0, 0.5, 1.0, 1.0]))
