"""Robustness: the linear layer of clean embeddings, on samples corrupted the same for every representation."""

from dataclasses import replace

import pytest
import torch

from anyview.data import open as open_data
from anyview.data.source import MemorySource
from anyview.errors import InputError
from anyview.evaluation.features import Features, Split, labelled
from anyview.evaluation.protocols import judge
from anyview.evaluation.protocols.linear import Linear
from anyview.evaluation.protocols.robustness import BLOCK, STRENGTHS, Corrupted
from anyview.views.image_corruptions import CORRUPTIONS


def pixels(source) -> torch.Tensor:
    return source.fetch(torch.arange(len(source))).x.flatten(1).float()


@pytest.fixture(scope="module")
def digits() -> Features:
    """Raw digits, with the samples at hand."""
    whole = open_data("digits").train
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(0))
    sources = [whole.take(part) for part in order[:800].split([400, 100, 300])]
    return Features(*(Split(pixels(s), s.label, s) for s in sources), embed=pixels)


def test_rows_are_means_over_strengths_of_the_clean_fit(digits: Features) -> None:
    found = {r.protocol: r.figures["raw"].mean for r in judge({"raw": digits}, ["linear", "robustness"])}
    assert list(found) == ["linear", *(f"robustness-{name}" for name in CORRUPTIONS)]
    linear = Linear(*labelled("raw", digits)[:2])
    x, label = digits.test.source.fetch(torch.arange(300)).x, digits.test.label
    right = [
        (linear(CORRUPTIONS["contrast"](x, strength).flatten(1).float())[0] == label).double().mean()
        for strength in STRENGTHS
    ]
    assert found["robustness-contrast"] == pytest.approx(float(torch.stack(right).mean()))
    assert all(found[f"robustness-{name}"] < found["linear"] for name in ("noise", "contrast"))


def test_noise_follows_place_and_seed_not_the_batch() -> None:
    source = MemorySource(
        "image", {"shape": [1, 4, 4]}, torch.full((2 * BLOCK + 40, 1, 4, 4), 128, dtype=torch.uint8)
    )
    one = Corrupted(source, CORRUPTIONS["noise"], 3, 0)
    whole = one.fetch(torch.arange(len(one)))
    parts = torch.cat([one.fetch(part).x for part in torch.arange(len(one)).split(BLOCK)])
    assert torch.equal(whole.x, parts)
    assert torch.equal(whole.index, torch.arange(len(one)))
    assert not torch.equal(whole.x[:BLOCK], whole.x[BLOCK : 2 * BLOCK])
    assert not torch.equal(
        whole.x, Corrupted(source, CORRUPTIONS["noise"], 3, 1).fetch(torch.arange(len(one))).x
    )
    state = torch.random.get_rng_state()
    one.fetch(torch.arange(3))
    assert torch.equal(state, torch.random.get_rng_state())


def test_what_cannot_be_corrupted_is_said(digits: Features) -> None:
    with pytest.raises(InputError, match="give data, not vectors made elsewhere"):
        judge({"raw": replace(digits, embed=None)}, ["robustness"])
    table = MemorySource("table", {}, digits.test.x, digits.test.label)
    with pytest.raises(InputError, match="table data have no corruptions"):
        judge({"raw": replace(digits, test=Split(digits.test.x, digits.test.label, table))}, ["robustness"])
