"""CLIP, ALIGN and SigLIP as methods: learned numbers of the loss get whole gradients, also through the cache."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "battery"))
from cells import build, uncoupled

from anyview.errors import InputError
from anyview.training.step import cached_step, plain_step


@pytest.mark.parametrize("system", ["clip", "align", "siglip"])
def test_the_cache_gives_temperature_and_bias_the_same_gradient(system: str) -> None:
    found = []
    for run in (plain_step, lambda *a: cached_step(*a, chunk=3)):
        method, dataset = build(system, "image_text")
        uncoupled(method).double()
        torch.manual_seed(0)
        views = method.views(dataset.train.fetch(torch.arange(8)).without_label())
        views = [
            v.map(lambda t: t.double() if t.is_floating_point() else t) if "image" in v.x else v
            for v in views
        ]
        run(method, views, lambda loss: loss.backward())
        found.append({n: p.grad for n, p in method.named_parameters() if p.ndim == 0})
    assert set(found[0]) == {"log_scale"} | ({"bias"} if system == "siglip" else set())
    for name, grad in found[0].items():
        assert grad.abs() > 0
        torch.testing.assert_close(found[1][name], grad)


def test_the_temperature_is_kept_from_running_away() -> None:
    method, _ = build("clip", "image_text")
    with torch.no_grad():
        method.log_scale.fill_(9.0)
    method.after_step()
    assert float(method.log_scale.exp()) == pytest.approx(100)
    with pytest.raises(InputError, match="temperature"):
        build("clip", "image_text", temperature=0.0)
