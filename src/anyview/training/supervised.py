"""The same encoder trained from scratch with the labels: what the labels alone give."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor, nn

from anyview.data.loader import Loader
from anyview.data.source import Source
from anyview.training.model import Model, calibrate, untrained_encoder
from anyview.training.optim import build_optimizer, lr_factor
from anyview.training.options import OptimizerOptions
from anyview.training.precision import autocast, pick_device, pick_precision
from anyview.training.schedule import default_batch_size
from anyview.training.step import seed_step

PATIENCE = 3  #: lengths tried: each is twice the one before, until validation says no


def train_supervised(
    model: Model, train: Source, validation: Source, test: Source, *, seed: int = 0, max_steps: int = 2000
) -> Bool[Tensor, "test"]:
    """Trains the model's encoder from fresh weights with cross-entropy on the views of the modality's
    mildest pipeline, and says which test samples it gets right.

    The length of training (a quarter, a half or the whole of ``max_steps``) is chosen on validation; test is
    read once, by the chosen network.
    """
    device = pick_device("auto")
    best, chosen = -1.0, None
    for halvings in reversed(range(PATIENCE)):
        network = _fit(model, train, max_steps // 2**halvings, seed, device)
        accuracy = float(_correct(model, network, validation, device).double().mean())
        if accuracy > best:
            best, chosen = accuracy, network
    assert chosen is not None
    return _correct(model, chosen, test, device)


def _fit(model: Model, train: Source, steps: int, seed: int, device: torch.device) -> nn.Module:
    assert train.label is not None
    seed_step(seed, 0)
    encoder = untrained_encoder(model.encoder)
    classes = int(train.label.max()) + 1
    network = (
        nn.Sequential(encoder, nn.Linear(encoder.dim, classes))
        .to(device)
        .to(memory_format=torch.channels_last)
    )
    precision = pick_precision("auto", device)
    batch_size = min(128, default_batch_size(len(train)))
    options = OptimizerOptions()
    optimizer = build_optimizer(network, options, batch_size)
    views = model.modality.views["tokens"](model.spec)
    loader = iter(Loader(train, batch_size, seed=seed))
    network.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * lr_factor(step / steps, options.warmup)
        batch = next(loader).to(device)
        seed_step(seed, step)
        view = views(batch)[0]
        assert batch.label is not None
        known = batch.label >= 0
        with autocast(precision, device):
            logits = network(view.x)
        F.cross_entropy(logits.float()[known], batch.label[known]).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    calibrate(encoder.cpu(), train, lambda x: model.modality.inputs(x, model.spec), seed)
    return network.eval()


def _correct(
    model: Model, network: nn.Module, source: Source, device: torch.device
) -> Bool[Tensor, "samples"]:
    """Whether the network names the class of each labelled sample."""
    encoder, head = network[0], network[1]  # type: ignore[index]
    with torch.no_grad():
        vectors = Model(encoder, model.modality, model.spec).embed_source(source, device=device.type)
        guess = head.cpu()(vectors).argmax(1)
    known = source.label >= 0  # type: ignore[operator]
    return guess[known] == source.label[known]  # type: ignore[index]
