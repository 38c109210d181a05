"""Fine-tuning: which layer a parameter is of, at what rate it trains, and that validation chooses."""

import copy

import pytest
import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset
from anyview.modalities import modality
from anyview.training import finetuning
from anyview.training.finetuning import CHOICES, finetune, layer_of, slowed
from anyview.training.model import Model
from anyview.training.optim import build_optimizer
from anyview.training.options import OptimizerOptions
from anyview.training.supervised import answers, fit


@pytest.fixture(scope="module")
def digits() -> Dataset:
    whole = open_data("digits").train
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(0))
    parts = dict(zip(("train", "validation", "test"), order[:500].split([300, 100, 100])))
    return Dataset("digits", "image", {name: whole.take(part) for name, part in parts.items()})


def model_of(data: Dataset, name: str, **options) -> Model:
    torch.manual_seed(0)
    kind = modality("image")
    return Model(kind.encoder(name, data.spec, **options), kind, data.spec)


def test_a_parameter_is_of_the_first_layer_that_depends_on_it(digits: Dataset) -> None:
    model = model_of(digits, "vit-nano", dim=16, depth=3, heads=2)
    x = model.modality.inputs(digits.train.fetch(torch.arange(2)).x, digits.spec)
    layers = layer_of(model.encoder, x)
    assert set(layers) == {name for name, _ in model.encoder.named_parameters()}
    for name, layer in layers.items():
        number = next(
            (int(part) for part in name.split(".") if part.isdigit() and "tokenizer" not in name), None
        )
        if "trunk" in name and number is not None:
            assert layer == number + 1
        elif name.startswith("norm"):
            assert layer == 3
        else:
            assert layer == 0, name
    conv = model_of(digits, "convnet-s", width=8)
    found = layer_of(conv.encoder, x)
    assert set(found.values()) == set(range(conv.encoder.depth + 1))
    assert [found[name] for name in found if "mask" not in name] == sorted(
        found[name] for name in found if "mask" not in name
    )


def test_rates_fall_from_the_head_down(digits: Dataset) -> None:
    model = model_of(digits, "vit-nano", dim=16, depth=3, heads=2)
    layers = layer_of(
        model.encoder, model.modality.inputs(digits.train.fetch(torch.arange(2)).x, digits.spec)
    )
    network = torch.nn.Sequential(model.encoder, torch.nn.Linear(16, 10))
    share = slowed(model.encoder, layers, 0.5)
    optimizer = build_optimizer(network, OptimizerOptions(lr=1.0), 256, share)
    rate = {id(p): group["peak"] for group in optimizer.param_groups for p in group["params"]}
    assert len(rate) == len(list(network.parameters()))
    assert all(rate[id(p)] == 1.0 for p in network[1].parameters())
    for name, p in model.encoder.named_parameters():
        assert rate[id(p)] == pytest.approx(0.5 ** (4 - layers[name]))
    decays = {id(p): g["weight_decay"] > 0 for g in optimizer.param_groups for p in g["params"]}
    assert all(decays[id(p)] == (p.ndim > 1) for p in network.parameters())


def test_without_decay_it_is_the_plain_fit(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetuning, "STEPS", 10)
    monkeypatch.setattr(finetuning, "CHOICES", ((1.0, 1.0),))
    model = model_of(digits, "convnet-s", width=8)
    before = copy.deepcopy(model.encoder.state_dict())
    splits = [digits.splits[name] for name in ("train", "validation", "test")]
    found = finetune(model, *splits)
    assert all(torch.equal(before[name], value) for name, value in model.encoder.state_dict().items())
    cpu = torch.device("cpu")
    plain = fit(model, splits[0], 10, 0, cpu, copy.deepcopy(model.encoder))
    torch.testing.assert_close(found, answers(model, plain, splits[2], cpu)[0])


def test_validation_chooses(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetuning, "STEPS", 12)
    tried = []

    def noted(*args):
        network = fit(*args)
        tried.append(network)
        return network

    monkeypatch.setattr(finetuning, "fit", noted)
    model, cpu = model_of(digits, "convnet-s", width=8), torch.device("cpu")
    splits = [digits.splits[name] for name in ("train", "validation", "test")]
    found = finetune(model, *splits)
    assert len(tried) == len(CHOICES)
    right = []
    for network in tried:
        answer, label = answers(model, network, splits[1], cpu)
        right.append(float((answer.argmax(1) == label).double().mean()))
    best = tried[right.index(max(right))]
    torch.testing.assert_close(found, answers(model, best, splits[2], cpu)[0])
    assert len({round(share, 6) for share in right}) > 1  # or there was nothing to choose
